"""Peak resident memory of processes and their children, by role."""

from pathlib import Path


class Memory:
    """The highest VmHWM seen of any one process in each role, in MB."""

    def __init__(self) -> None:
        self.peaks: dict[str, float] = {}

    def note(self, pid: int, role: str = "") -> None:
        """Look at a process and all below it; without a role, each has the name it gave itself."""
        for each in (pid, *_children(pid)):
            name = role or _comm(each)
            self.peaks[name] = max(self.peaks.get(name, 0), peak_mb(each))


def peak_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it has ended, or this is no Linux
        return 0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


def _comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "ended"


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, listed.read_text().split()):
            found += [child, *_children(child)]
    return found
