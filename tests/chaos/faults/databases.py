"""The database: restarted in every way there is, its connections cut, and taken over by a replica."""

import signal
from itertools import cycle

from tests.chaos.faults.fault import Fault
from tests.chaos.proxy import Proxy
from tests.chaos.servers.own import Own
from tests.chaos.servers.postgresql import FAST, IMMEDIATE, KILL, PostgreSQL, Replicated


class Restart(Fault):
    """Stopped by the signals in turn, away for a moment, and started again."""

    lasts = 1.0

    def __init__(self, server: Own, *signals: signal.Signals) -> None:
        self._server, self._signals = server, cycle(signals)

    def inject(self) -> None:
        self._server.stop(next(self._signals))

    def heal(self) -> None:
        self._server.start()


def restart_postgresql(server: PostgreSQL) -> Restart:
    return Restart(server, FAST, IMMEDIATE, KILL)


class CutConnections(Fault):
    """Every session ended by the server, in the middle of what it does."""

    over_at_once = True

    def __init__(self, server: PostgreSQL) -> None:
        self._server = server

    def inject(self) -> None:
        assert self._server.cut_connections(), "there was nothing to cut"


class FailOver(Fault):
    """The primary killed, its replica promoted, and the address (a proxy) pointed to it."""

    lasts = 1.0  # until somebody notices

    def __init__(self, servers: Replicated, proxy: Proxy) -> None:
        self._servers, self._proxy = servers, proxy

    def prepare(self) -> None:
        self._servers.attach()

    def inject(self) -> None:
        self._servers.primary.stop(KILL)
        self._proxy.cut()

    def heal(self) -> None:
        self._servers.promote()
        self._proxy.target = self._servers.primary.port
        self._proxy.cut()
