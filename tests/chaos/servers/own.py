"""A server process that is ours: started, stopped in several ways, and gone with its block."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.acceptance.server import free_port

START_TIME = 60.0  # seconds until it answers
STOP_TIME = 60.0


class Missing(Exception):
    """A case can't be played here; the text says what it would take."""


class Own:
    """One server. Those that refuse to be run by root run as `user`, where we are root."""

    def __init__(self, directory: Path, *users: str) -> None:
        directory.mkdir(parents=True)
        self.directory, self.port = directory, free_port()
        self.user = _unprivileged(users) if users else None
        if self.user:
            shutil.chown(directory, self.user)
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """What runs in the foreground until it is stopped."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it can be used."""
        raise NotImplementedError

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        assert self._process, "it was never started"
        return self._process

    def start(self) -> None:
        """Returns once it answers; it is started again should it end at once, as it may after a crash."""
        deadline = time.monotonic() + START_TIME
        self._process = self._spawn()
        while not self._answers():
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.command()[0]} did not start:\n{self.output()[-2000:]}")
            if self._process.poll() is not None:
                time.sleep(0.2)
                self._process = self._spawn()
            time.sleep(0.05)

    def stop(self, signum: int = signal.SIGTERM) -> None:
        """Send it the signal, and wait for the end."""
        if self.process.poll() is None:
            self.process.send_signal(signum)
            self.process.wait(STOP_TIME)

    def run(self, *command: str) -> None:
        """A tool of the server's, as its user; AssertionError with its complaints when it fails."""
        done = subprocess.run(
            command, cwd=self.directory, user=self.user, capture_output=True, text=True, timeout=START_TIME, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def output(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Whatever state it is in."""
        if self._process:
            self.stop(signal.SIGKILL)

    def _spawn(self) -> "subprocess.Popen[bytes]":
        with (self.directory / "log").open("ab") as log:
            return subprocess.Popen(
                self.command(),
                cwd=self.directory,
                user=self.user,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        try:
            return self.process.poll() is None and self.answers()
        except Exception:  # of whichever client library
            return False


def _unprivileged(users: Iterable[str]) -> str | None:
    if os.geteuid() != 0:
        return None
    known = {one.pw_name for one in pwd.getpwall()}
    return next((name for name in (*users, "nobody") if name in known), None)


def program(name: str, *places: str) -> str:
    """Its path, from the first of the places (patterns) that has it, or PATH; raises Missing."""
    there = [str(path) for place in places for path in sorted(Path("/").glob(place.lstrip("/")), reverse=True)]
    found = next(iter(there), None) or shutil.which(name)
    if found is None:
        raise Missing(f"there is no {name} here")
    return found
