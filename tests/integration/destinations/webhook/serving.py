"""Small servers in the test's own loop: an HTTP endpoint that answers by script, and a real forward proxy."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field

type Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(handle: Handle, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Gives the port; everything ends with the block."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(EOFError, OSError), closing(writer):
            await handle(reader, writer)

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls, limit=1 << 20)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def http(status: int, body: bytes = b"", *lines: str) -> bytes:
    head = "\r\n".join((f"HTTP/1.1 {status} X", f"content-length: {len(body)}", *lines, "", ""))
    return head.encode() + body


@dataclass
class Request:
    """As it came."""

    line: str
    headers: dict[str, str]
    body: bytes


async def read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *lines = head.rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
    return Request(line, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


@dataclass
class Endpoint:
    """Answers each request with the next of the script, the last one for ever."""

    script: list[bytes]
    requests: list[Request] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/token"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            self.requests.append(await read_request(reader))
            writer.write(self.script[min(len(self.requests), len(self.script)) - 1])
            await writer.drain()


@asynccontextmanager
async def endpoint(*script: bytes) -> AsyncIterator[Endpoint]:
    found = Endpoint(list(script))
    async with listening(found.handle) as found.port:
        yield found


@dataclass
class ForwardProxy:
    """CONNECT and absolute form, with or without a password; remembers what it was asked for."""

    password: str = ""
    requests: list[Request] = field(default_factory=list)
    port: int = 0

    def url(self, host: str = "127.0.0.1", credentials: str = "") -> str:
        return f"http://{credentials and credentials + '@'}{host}:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await read_request(reader)
            self.requests.append(request)
            asked = request.headers.get("proxy-authorization")
            if self.password and asked != "Basic " + b64encode(f"me:{self.password}".encode()).decode():
                writer.write(http(407, b"", 'proxy-authenticate: Basic realm="x"'))
            elif request.line.startswith("CONNECT "):
                await self._tunnel(request.line.split(" ")[1], reader, writer)
                return
            else:
                await self._forward(request, writer)
            await writer.drain()

    async def _tunnel(self, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = target.rpartition(":")
        try:
            there_reader, there_writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except OSError:
            writer.write(http(502))
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with closing(there_writer):
            await asyncio.gather(_pipe(reader, there_writer), _pipe(there_reader, writer))

    async def _forward(self, request: Request, writer: asyncio.StreamWriter) -> None:
        method, url, _ = request.line.split(" ")
        host, _, path = url.removeprefix("http://").partition("/")
        address, _, port = host.rpartition(":")
        reader, there = await asyncio.open_connection(address.strip("[]"), int(port))
        lines = [f"{name}: {value}" for name, value in request.headers.items() if not name.startswith("proxy-")]
        there.write("\r\n".join((f"{method} /{path} HTTP/1.1", *lines, "", "")).encode() + request.body)
        with closing(there):
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(head)
            writer.write(await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0])))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def forward_proxy(password: str = "") -> AsyncIterator[ForwardProxy]:
    proxy = ForwardProxy(password)
    async with listening(proxy.handle) as proxy.port:
        yield proxy
