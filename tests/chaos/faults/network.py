"""The line between two processes: slow, in small pieces, cut, dead."""

from itertools import cycle

from tests.chaos.faults.fault import Fault
from tests.chaos.proxy import Proxy


class Bad(Fault):
    """For some seconds every piece is late and written in parts; then all connections are cut; then none is taken."""

    lasts = 2.0
    ways = ("slow", "cut", "dead")

    def __init__(self, proxy: Proxy) -> None:
        self._proxy, self._ways = proxy, cycle(self.ways)

    def inject(self) -> None:
        way = next(self._ways)
        self._proxy.latency, self._proxy.pieces = (0.02, 1_000) if way != "dead" else (0.0, 0)
        self._proxy.down = way == "dead"
        if way != "slow":
            self._proxy.cut()

    def heal(self) -> None:
        self._proxy.latency, self._proxy.pieces, self._proxy.down = 0.0, 0, False
