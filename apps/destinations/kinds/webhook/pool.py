"""Connections to addresses that were vetted, and to no others: nothing is resolved here.

They are kept by origin and address, so that what was vetted for one host never serves another. All share one clock:
a timer for each request would cost more than looking at all of them now and then.
"""

import asyncio
import time
from collections import defaultdict

from apps.destinations.kinds.webhook.certificates import Contexts
from apps.destinations.kinds.webhook.connection import Connection
from apps.destinations.kinds.webhook.failures import TIMEOUT, AttemptFailed, failure_of
from apps.destinations.kinds.webhook.route import Route
from apps.destinations.kinds.webhook.tunnel import connect_through

MOST_IDLE = 512  # connections without a request
CONNECT_TIMEOUT = 5.0  # seconds for TCP and TLS together
IDLE_TIMEOUT = 30.0
TICK = 0.05  # seconds that a deadline may be late


class Pool:
    """One per event loop; a connection taken or opened must be given back."""

    def __init__(self, most_idle: int = MOST_IDLE) -> None:
        self._most_idle = most_idle
        self._open: set[Connection] = set()
        self._idle: dict[Connection, None] = {}  # the one idle longest first
        self._by_key: dict[tuple[str, str], list[Connection]] = defaultdict(list)
        self._contexts = Contexts()
        self._clock: asyncio.TimerHandle | None = None

    def take(self, key: tuple[str, str]) -> Connection | None:
        """The idle one used last, as the others are to go some day: the hot path, without a switch of tasks."""
        if not (waiting := self._by_key.get(key)):
            return None
        connection = waiting.pop()
        if not waiting:
            del self._by_key[key]
        del self._idle[connection]
        return connection

    async def open(self, route: Route, address: str, seconds: float, hop: str = "") -> Connection:
        """A new one; raises AttemptFailed. TLS is spoken, and the certificate checked, for the route's host.

        `hop`: the address of the route's proxy, where it has one.
        """
        peer = f"{address} port {route.port}" + (f" through proxy {route.via.proxy.authority}" if route.via else "")
        connection = Connection((route.origin, address), peer, self._forget, route.kept)
        self._open.add(connection)
        self._clock = self._clock or asyncio.get_running_loop().call_later(TICK, self._expire)
        deadline = asyncio.timeout(min(seconds, CONNECT_TIMEOUT))
        try:
            async with deadline:
                await self._connect(connection, route, address, hop)
        except BaseException as error:
            self._open.discard(connection)
            connection.drop()
            if deadline.expired():
                raise AttemptFailed(TIMEOUT, f"{peer}: no connection in time", unsent=True) from None
            if isinstance(error, OSError):
                raise failure_of(error, peer, unsent=True) from None
            raise
        return connection

    def give_back(self, connection: Connection) -> None:
        """Keep it for the next request, if it can carry one."""
        if not connection.is_reusable:
            connection.drop()
            return
        if len(self._idle) >= self._most_idle:
            self._let_go(next(iter(self._idle)))
        connection.expires = time.monotonic() + IDLE_TIMEOUT
        self._idle[connection] = None
        self._by_key[connection.key].append(connection)

    async def close(self) -> None:
        """Requests still on their way fail; connections are closed."""
        if self._clock:
            self._clock.cancel()
        self._contexts.close()
        for connection in tuple(self._open):
            connection.drop()
        for _ in range(10):  # turns of the loop, which closes sockets in a later one
            await asyncio.sleep(0)

    async def _connect(self, connection: Connection, route: Route, address: str, hop: str) -> None:
        loop = asyncio.get_running_loop()
        context = await self._contexts.get(route.tls) if route.is_tls else None
        if route.via:
            await connect_through(route, address, hop, connection, context)
            return
        name = route.server_name if context else None
        await loop.create_connection(lambda: connection, address, route.port, ssl=context, server_hostname=name)

    def _expire(self) -> None:
        now = time.monotonic()
        for connection in [one for one in self._open if one.expires <= now]:
            connection.expire()
        self._clock = asyncio.get_running_loop().call_later(TICK, self._expire) if self._open else None

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._let_go(connection)

    def _let_go(self, connection: Connection) -> None:
        del self._idle[connection]
        waiting = self._by_key[connection.key]
        waiting.remove(connection)
        if not waiting:
            del self._by_key[connection.key]
        connection.drop()
