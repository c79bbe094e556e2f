"""One installation of Trunkline, as an operator has it: a data directory, a database, and commands run in them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.acceptance.waiting import eventually
from tools.environment import clean_environment

ROOT = Path(__file__).resolve().parents[2]
COMMAND_TIME = 120.0  # seconds for a command that ends by itself
PROCESSES = ("ps", "-A", "-o", "pid=,ppid=,pgid=,stat=,comm=")
STOP_TIME = 40.0  # seconds from SIGTERM to the end


class Installation:
    """`directory` holds data, logs and scratch files; each variable given goes into every command's environment."""

    def __init__(self, directory: Path, variables: Mapping[str, str]) -> None:
        self.directory = directory
        self.data = directory / "data"
        scratch = directory / "scratch"
        scratch.mkdir(parents=True)
        self.environment = clean_environment(
            **{"TRUNKLINE_DATA_DIR": str(self.data), "TMPDIR": str(scratch), "LOG_FORMAT": "json"} | dict(variables)
        )

    def manage(self, *arguments: str) -> str:
        """What a command that ends by itself printed; AssertionError with its complaints when it failed."""
        done = subprocess.run(
            _command(arguments),
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIME,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def manage_json(self, *arguments: str) -> Any:
        """The one line of JSON that a command prints with `--json`."""
        return json.loads(self.manage(*arguments, "--json").splitlines()[-1])


class Running:
    """A command that runs until it is stopped, as the leader of a process group; its output goes to a file."""

    def __init__(self, installation: Installation, *arguments: str, **variables: str) -> None:
        self.installation, self.arguments, self.variables = installation, arguments, variables
        self.log = installation.directory / f"{arguments[0]}-{id(self):x}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                _command(self.arguments),
                cwd=ROOT,
                env=self.installation.environment | self.variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        assert self._process, "it was never started"
        return self._process

    def output(self) -> str:
        """All it ever wrote, over restarts too."""
        return self.log.read_text(errors="replace")

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Its structured log lines about one kind of thing."""
        lines = (line for line in self.output().splitlines() if line.startswith("{") and event in line)
        return [line for line in map(json.loads, lines) if line.get("event") == event]

    def stop(self) -> int:
        """Ask it to end, and wait until its whole group has; returns the exit code."""
        self.terminate()
        return self.ended()

    def terminate(self) -> None:
        """SIGTERM to the leader, as a service manager sends it."""
        self.process.terminate()

    def interrupt(self) -> None:
        """Ctrl-C in a terminal: SIGINT to every process of the group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def ended(self) -> int:
        """Wait until it and its whole group have ended; returns the exit code."""
        code = self.process.wait(STOP_TIME)
        eventually(lambda: not self.group(), why=self.group)
        return code

    def kill(self) -> None:
        """kill -9 of everything, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_TIME)
        eventually(lambda: not self.group(), why=self.group)

    def group(self) -> dict[int, int]:
        """Every live process of the group, and its parent."""
        return {pid: parent for pid, parent, _ in self.members()}

    def members(self) -> list[tuple[int, int, str]]:
        """Every live process of the group, its parent, and its name."""
        listed = subprocess.run(PROCESSES, capture_output=True, text=True, check=True)
        rows = (line.split(maxsplit=4) for line in listed.stdout.splitlines())
        return [
            (int(pid), int(parent), name)
            for pid, parent, group, state, name in rows
            if int(group) == self.process.pid and not state.startswith("Z")
        ]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            self.kill()


def _command(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), *arguments]
