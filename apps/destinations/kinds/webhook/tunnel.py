"""Through a forward proxy: a tunnel (CONNECT) for https, requests in absolute form for http (RFC 9110 9.3.6, 3.7).

The proxy is told the address that was vetted, never the name: it would resolve that anew, past the policy.
"""

import asyncio
import re
import ssl
from typing import cast

from apps.destinations.egress.proxy import Proxy
from apps.destinations.kinds.webhook.auth import basic
from apps.destinations.kinds.webhook.connection import Connection
from apps.destinations.kinds.webhook.failures import PROXY_FAILED, AttemptFailed, ProxyUnreachable, os_phrase
from apps.destinations.kinds.webhook.route import Route

HEAD_LIMIT = 16 * 1024  # bytes of the proxy's answer
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
END = b"\r\n\r\n"


async def connect_through(
    route: Route, address: str, hop: str, connection: Connection, context: ssl.SSLContext | None
) -> None:
    """Connect it to `address` by way of the route's proxy at `hop`, under TLS with `context`. Raises AttemptFailed."""
    assert route.via
    proxy, loop = route.via.proxy, asyncio.get_running_loop()
    if context is None:
        await _reach(proxy, hop, connection)
        return
    tunnel = _Tunnel(proxy)
    transport = await _reach(proxy, hop, tunnel)
    try:
        await tunnel.opened_to(authority(address, route.port), transport)
        secured = await loop.start_tls(transport, connection, context, server_hostname=route.server_name)
    except BaseException:
        transport.abort()
        raise
    connection.connection_made(cast(asyncio.BaseTransport, secured))


async def _reach(proxy: Proxy, hop: str, protocol: asyncio.Protocol) -> asyncio.Transport:
    try:
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: protocol, hop, proxy.port)
    except OSError as error:
        raise ProxyUnreachable(f"proxy {proxy.authority}: {os_phrase(error)}") from None
    return transport


class _Tunnel(asyncio.Protocol):
    """Reads the proxy's answer to CONNECT, and nothing after it: the receiver speaks second."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._seen = b""
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def opened_to(self, target: str, transport: asyncio.Transport) -> None:
        lines = (f"CONNECT {target} HTTP/1.1", f"host: {target}", *credentials(self._proxy), "", "")
        transport.write("\r\n".join(lines).encode("ascii"))
        await self._opened

    def data_received(self, data: bytes) -> None:
        if self._opened.done():
            return
        self._seen += data
        head, end, rest = self._seen.partition(END)
        if not end and len(self._seen) > HEAD_LIMIT:
            self._fail("the head of its answer is too large")
        elif not STATUS.match(self._seen) and (end or len(self._seen) > 16):
            self._fail("what it answers is not HTTP")
        elif end:
            self._answered(int(head[9:12]), rest)

    def _answered(self, status: int, rest: bytes) -> None:
        if status // 100 != 2:
            self._fail(refusal(status), unsent=status in {502, 504})  # another address may be reachable
        elif rest:
            self._fail("it sent more than an answer")
        else:
            self._opened.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail("it closed the connection")

    def _fail(self, why: str, *, unsent: bool = False) -> None:
        if not self._opened.done():
            detail = f"proxy {self._proxy.authority}: {why}"
            self._opened.set_exception(AttemptFailed(PROXY_FAILED, detail, unsent=unsent))


def refusal(status: int) -> str:
    """What an answer of the proxy's own means, for people."""
    if status == 407:
        return "it asks for other credentials (status 407)"
    return f"it answered with status {status}"


def credentials(proxy: Proxy) -> list[str]:
    """The header line that shows the proxy who asks, where it has to know."""
    if not proxy.username and not proxy.password:
        return []
    return [f"proxy-authorization: {basic(proxy.username, proxy.password)}"]


def absolute(route: Route, head: bytes, address: str) -> bytes:
    """A request's head as a proxy takes it: with the vetted address in its first line; `host` still has the name."""
    assert route.via
    start, _, rest = head.partition(b"\r\n")
    method, path, version = start.split(b" ")
    line = b"%b http://%b%b %b" % (method, authority(address, route.port).encode(), path, version)
    return b"\r\n".join([line, *(one.encode("ascii") for one in credentials(route.via.proxy)), rest])


def authority(address: str, port: int) -> str:
    """An IPv6 address in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
