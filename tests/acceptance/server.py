"""A running `manage.py serve`."""

import os
import signal
import socket

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

    def web(self) -> int:
        """gunicorn's master: of the supervisor's two children the one that has children itself."""
        return eventually(self._children)[0]

    def worker(self) -> int:
        """One of gunicorn's workers."""
        web = self.web()
        return next(pid for pid, parent in self.group().items() if parent == web)

    def engine(self) -> int:
        """The supervisor's other child."""
        return eventually(self._children)[1]

    def _children(self) -> tuple[int, int] | None:
        """Web and engine, once both are up."""
        group = self.group()
        children = [pid for pid, parent in group.items() if parent == self.process.pid]
        web = [pid for pid in children if pid in group.values()]
        engine = [pid for pid in children if pid not in group.values()]
        return (web[0], engine[0]) if len(web) == len(engine) == 1 else None


def kill(pid: int) -> None:
    """kill -9 of one process."""
    os.kill(pid, signal.SIGKILL)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
