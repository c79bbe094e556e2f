"""A running `manage.py serve`."""

import os
import signal
import socket
from dataclasses import dataclass

from tests.acceptance.client import NO_ANSWER, Client
from tests.acceptance.installation import Installation, Running
from tests.acceptance.waiting import eventually

START_TIME = 40.0  # seconds


class Server(Running):
    """Serves on a port of its own, which it keeps over restarts; with an engine unless told otherwise."""

    def __init__(self, installation: Installation, *arguments: str, engine: bool = True, **variables: str) -> None:
        self.port = free_port()
        further = (*arguments, *(() if engine else ("--no-engine",)))
        super().__init__(installation, "serve", "--port", str(self.port), *further, **variables)
        self._ready = "/readyz" if engine else "/healthz"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns once it is ready."""
        super().start()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        eventually(self._is_ready, patience=START_TIME, why=self.output)

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, f"it ended:\n{self.output()}"
        try:
            return Client(self.port).get(self._ready).status == 200
        except NO_ANSWER:
            return False

    def family(self) -> "Family":
        """Who is who in the process group, once all are up."""
        return eventually(self._family, why=self.group)

    def _family(self) -> "Family | None":
        members = self.members()
        named = {name.removesuffix("-1"): pid for pid, parent, name in members if parent == self.process.pid}
        workers = [pid for pid, parent, _ in members if parent == named.get("tl-control")]
        if not (workers and {"tl-control", "tl-intake", "tl-engine"} <= named.keys()):
            return None
        return Family(named["tl-control"], workers[0], named["tl-intake"], named["tl-engine"])


@dataclass(frozen=True, slots=True)
class Family:
    """Process ids: of gunicorn's master and one of its children, of the fast lane (or its first), of the engine."""

    control: int
    worker: int
    intake: int
    engine: int


def kill(pid: int) -> None:
    """kill -9 of one process."""
    os.kill(pid, signal.SIGKILL)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
