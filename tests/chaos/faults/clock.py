"""The wall clock of Trunkline's processes, moved by libfaketime; the monotonic clock stays as it is."""

from itertools import cycle
from pathlib import Path

from tests.chaos.faults.fault import Fault
from tests.chaos.servers.own import Missing

LIBRARY = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")
CACHED = 1  # seconds until a process sees the jump


class Jump(Fault):
    """An hour ahead, back again, an hour back, and again to where it was: all under way for some seconds."""

    lasts = 8.0
    offsets = ("+3600", "-3600")

    def __init__(self, file: Path) -> None:
        self._file, self._offsets = file, cycle(self.offsets)

    def inject(self) -> None:
        self._file.write_text(next(self._offsets))

    def heal(self) -> None:
        self._file.write_text("+0")


def variables(file: Path) -> dict[str, str]:
    """The environment in which processes see the time that `file` says; raises Missing without the library."""
    found = [path for place in LIBRARY for path in Path("/").glob(place.lstrip("/"))]
    if not found:
        raise Missing("libfaketime isn't installed (Debian: faketime)")
    file.write_text("+0")
    return {
        "LD_PRELOAD": str(found[0]),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_CACHE_DURATION": str(CACHED),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
