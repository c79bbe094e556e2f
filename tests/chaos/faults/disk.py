"""A disk without any room."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.faults.fault import Fault
from tests.chaos.servers.own import Missing

PIECE = b"\0" * 65_536


class Full(Fault):
    """Ballast fills the file system to its last byte, and goes again."""

    lasts = 3.0

    def __init__(self, directory: Path) -> None:
        self._ballast = directory / "ballast"

    def inject(self) -> None:
        size = len(PIECE)
        with self._ballast.open("wb", buffering=0) as ballast:
            while size:
                try:
                    ballast.write(PIECE[:size])
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    size //= 2

    def heal(self) -> None:
        self._ballast.unlink()


@contextmanager
def small_disk(directory: Path, megabytes: int) -> Iterator[None]:
    """A file system in memory at that place; raises Missing where it can't be mounted."""
    directory.mkdir(parents=True)
    command = ("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(directory))
    done = subprocess.run(command, capture_output=True, text=True, check=False) if os.geteuid() == 0 else None
    if done is None or done.returncode:
        raise Missing("no file system may be mounted: " + (done.stderr.strip() if done else "not root"))
    try:
        yield
    finally:
        subprocess.run(("umount", "--lazy", str(directory)), check=False)
