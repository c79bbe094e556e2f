"""The wall clock of Trunkline's processes, moved by a library of our own (clock.c); other clocks stay as they are."""

import subprocess
from itertools import cycle
from pathlib import Path

from tests.chaos.faults.fault import Fault
from tests.chaos.servers.own import program

SOURCE = Path(__file__).with_name("clock.c")


class Jump(Fault):
    """Ahead or back by so many seconds for a while, in turn. Each process sees it within a second of its own."""

    lasts = 8.0  # so that a rescuer looks in between

    def __init__(self, file: Path, seconds: int) -> None:
        self._file, self._offsets = file, cycle((f"{seconds}", f"-{seconds}"))

    def inject(self) -> None:
        self._file.write_text(next(self._offsets))

    def heal(self) -> None:
        self._file.write_text("0")


def variables(file: Path) -> dict[str, str]:
    """The environment in which processes see the time moved as `file` says; raises Missing without a C compiler."""
    library = file.with_suffix(".so")
    subprocess.run([program("cc"), "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE)], check=True)
    file.write_text("0")
    return {"LD_PRELOAD": str(library), "CHAOS_CLOCK": str(file)}
