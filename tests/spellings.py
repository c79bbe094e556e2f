"""The spellings of tests/data/ssrf/spellings.txt."""

from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).parent / "data" / "ssrf" / "spellings.txt"
PUBLIC = ("93.184.215.14",)


@dataclass(frozen=True, slots=True)
class Spelling:
    """A URL, and the addresses of its host where it is a name whose addresses are the trouble."""

    url: str
    addresses: tuple[str, ...] = ()


def spellings(port: int) -> list[Spelling]:
    """All of them, with that port where one is asked for."""
    lines = (line for line in FILE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#"))
    return [_read(line, port) for line in lines]


def _read(line: str, port: int) -> Spelling:
    first, *addresses = line.split(" ")
    if addresses:
        return Spelling(f"http://{first}:{port}/", tuple(addresses))
    return Spelling(line.replace("{port}", str(port)))
