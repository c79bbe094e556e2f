"""Redis: restarted empty, emptied while it runs, gone for a while."""

from tests.chaos.faults.fault import Fault
from tests.chaos.servers.postgresql import KILL
from tests.chaos.servers.redis import Redis


class Flush(Fault):
    over_at_once = True

    def __init__(self, server: Redis) -> None:
        self._server = server

    def inject(self) -> None:
        self._server.flush()


class Away(Fault):
    """Killed, and started again, empty, after so many seconds."""

    def __init__(self, server: Redis, lasts: float) -> None:
        self._server, self.lasts = server, lasts

    def inject(self) -> None:
        self._server.stop(KILL)

    def heal(self) -> None:
        self._server.start()
