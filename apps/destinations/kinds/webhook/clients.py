"""HTTP clients that can reach one address only, so that the address that was vetted is the one connected to.

Each holds its own connections, which makes it worth keeping, and some 160 kB with the system's certificates, which
makes it worth dropping: the least recently used goes first. Building one takes about a millisecond where SSL_CERT_FILE
is set and SSL_CERT_DIR is not, and up to ten otherwise; so it is done in a thread, which the library leaves the
interpreter to while it builds.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from pyreqwest.client import Client, ClientBuilder

MOST_CLIENTS = 256
CONNECT_TIMEOUT = timedelta(seconds=5)  # for TCP and TLS together
IDLE_TIMEOUT = timedelta(seconds=30)
USER_AGENT = "Trunkline/0.1.0"


class Pin(NamedTuple):
    """A host and the one address it stands for."""

    scheme: str
    host: str  # as in the URL; an IPv6 address in brackets
    port: int
    address: str

    @property
    def is_literal(self) -> bool:
        return self.host.strip("[]") == self.address


def build_client(pin: Pin) -> Client:
    """A client without cookies, proxies, redirects or decompression. Raises pyreqwest's BuilderError."""
    builder = (
        ClientBuilder()
        .follow_redirects(False)
        .no_proxy()
        .referer(False)
        .gzip(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .http1_only()  # hanging up on one answer must not hit the others on a shared connection
        .http1_lower_case_headers()
        .tcp_nodelay(True)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .user_agent(USER_AGENT)
        .default_headers({"content-type": "application/json"})
    )
    if not pin.is_literal:
        builder = builder.resolve(pin.host, pin.address, pin.port)
    return builder.build()


class PinnedClients:
    """At most `size` clients by their pin. One per event loop."""

    def __init__(self, size: int = MOST_CLIENTS, *, build: Callable[[Pin], Client] = build_client) -> None:
        self._size, self._build = size, build
        self._clients: OrderedDict[Pin, asyncio.Task[Client]] = OrderedDict()

    def ready(self, pin: Pin) -> Client | None:
        """The client, where there is one: the hot path, without a switch of tasks."""
        building = self._clients.get(pin)
        if building is None or not building.done():
            return None
        self._clients.move_to_end(pin)
        return building.result()

    async def get(self, pin: Pin) -> Client:
        """The client, built first if need be; all who wait for the same one share it. Raises BuilderError."""
        building = self._clients.get(pin)
        if building is None:
            building = self._clients[pin] = asyncio.create_task(asyncio.to_thread(self._build, pin))
            building.add_done_callback(lambda built: self._forget_failure(pin, built))
            self._evict()
        return await asyncio.shield(building)

    async def close(self) -> None:
        """Requests still on their way fail; connections are closed."""
        building, self._clients = list(self._clients.values()), OrderedDict()
        for client in await asyncio.gather(*building, return_exceptions=True):
            if isinstance(client, Client):
                await client.close()

    def _evict(self) -> None:
        # Letting go is enough: the connections close with the last request that still holds the client.
        while len(self._clients) > self._size:
            self._clients.popitem(last=False)

    def _forget_failure(self, pin: Pin, built: asyncio.Task[Client]) -> None:
        failed = built.cancelled() or built.exception() is not None
        if failed and self._clients.get(pin) is built:
            del self._clients[pin]
