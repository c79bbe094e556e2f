"""A webhook receiver on a real socket, in a thread of its own, that remembers what it got.

    with Receiver() as receiver:
        ...  # deliver to receiver.url("/hook")
        (request,) = receiver.wait_for(1)

The path chooses how it behaves; any path not listed answers 200 `ok`:

    /status/N   answers N                      /fail /gone /limited   500, 410, 429 with Retry-After: 7
    /flaky/N    500 to the first N requests with one webhook-id, then 200
    /slow/N     200 after N milliseconds       /hang                  never answers
    /redirect   302 to /landed                 /large/N               200 with N bytes of body
    /endless    200, then body without end     /huge-headers          a header block without end
    /trickle    header bytes, slowly, without end                     /trickle-body   the same in the body
    /garbage    bytes that are not HTTP        /close                 hangs up without an answer
    /latin-1    429, a header beyond ASCII     /cookie                200 with Set-Cookie
    /bomb       200, gzip of 100 MB of zeros   /bomb-endless          the same without an end
    /reset      RST instead of an answer       /reset-body            200, half a body, RST
"""

import asyncio
import contextlib
import gzip
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import Self

PATIENCE = 20.0  # seconds until a wait gives up and the test fails
DRIP = 0.01  # seconds between two bytes of a trickle
WITHOUT_BODY = frozenset({204, 304})  # RFC 9110 6.4.1


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Serves http, or https when given a server-side context, on a free port of `host`."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host, self.port = host, port
        self.requests: list[Received] = []
        self.accepted = 0  # connections, ever
        self.open = 0  # connections, now
        self._tls = tls
        self._tries: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def url(self, path: str = "/", host: str | None = None) -> str:
        return f"{'https' if self._tls else 'http'}://{host or self.host}:{self.port}{path}"

    def wait_for(self, count: int) -> list[Received]:
        """The requests, once there are `count` of them."""
        self.wait_until(lambda: len(self.requests) >= count)
        return list(self.requests)

    def wait_until(self, true: Callable[[], bool]) -> None:
        """Returns once `true()` holds, looked at whenever a request or a connection comes or goes."""
        with self._changed:
            if not self._changed.wait_for(true, PATIENCE):
                raise TimeoutError(f"got {len(self.requests)} requests, {self.open} connections are open")

    def clear(self) -> None:
        with self._changed:
            self.requests.clear()
            self._tries.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(PATIENCE):
            raise TimeoutError("the receiver did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_exception_handler(lambda loop, context: None)  # failed handshakes are what tests want
        server = await asyncio.start_server(self._connected, self.host, self.port, ssl=self._tls, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()  # asyncio.run then cancels what still serves

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._note(lambda: self._count(accepted=1, open_=1))
        try:
            with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
                while await self._answer(reader, writer):
                    pass
        finally:
            writer.transport.abort() if self._tls else writer.close()
            self._note(lambda: self._count(open_=-1))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request on a connection; whether it may carry another."""
        request = await _read(reader)
        self._note(lambda: self.requests.append(request))
        name, _, argument = request.path.split("?")[0].strip("/").partition("/")
        if name == "flaky":
            key = request.headers.get("webhook-id", "")
            self._tries[key] += 1
            name, argument = "status", "500" if self._tries[key] <= int(argument.split("/")[0]) else "200"
        await BEHAVIOURS.get(name, _ok)(reader, writer, argument)
        await writer.drain()
        return name not in LAST_WORDS

    def _count(self, *, accepted: int = 0, open_: int = 0) -> None:
        self.accepted += accepted
        self.open += open_

    def _note(self, change: Callable[[], None]) -> None:
        with self._changed:
            change()
            self._changed.notify_all()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Received(method, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


def _response(status: int, body: bytes = b"ok", **headers: str) -> bytes:
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    if status in WITHOUT_BODY:
        return f"HTTP/1.1 {status} X\r\n{fields}\r\n".encode()
    return f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n{fields}\r\n".encode() + body


type Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter, str], Awaitable[None]]


def _fixed(answer: bytes) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, argument: str) -> None:
        writer.write(answer)

    return behave


_ok = _fixed(_response(200))


async def _status(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, argument: str) -> None:
    writer.write(_response(int(argument.split("/")[0])))


async def _large(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, argument: str) -> None:
    writer.write(_response(200, b"x" * int(argument)))


async def _slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, argument: str) -> None:
    await asyncio.sleep(int(argument.split("/")[0]) / 1000)
    writer.write(_response(200))


async def _hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, argument: str) -> None:
    await reader.read()  # until the other side hangs up


def _forever(start: bytes, piece: bytes, pause: float = 0) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, argument: str) -> None:
        writer.write(start)
        while not reader.at_eof():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return behave


def _breaking_off(start: bytes) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, argument: str) -> None:
        writer.write(start)
        await writer.drain()
        plug: socket.socket = writer.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close() sends RST

    return behave


@cache
def _bomb() -> bytes:
    """A megabyte of zeros, a hundred times: a hundred members of one gzip stream (RFC 1952 2.2)."""
    return gzip.compress(bytes(1_000_000)) * 100


async def _gzip_bomb(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, argument: str) -> None:
    writer.write(_response(200, _bomb(), content_encoding="gzip"))


_GZIPPED = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n"
_OPEN_END = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n"

BEHAVIOURS: dict[str, Behaviour] = {
    "status": _status,
    "fail": _fixed(_response(500, b"it broke")),
    "gone": _fixed(_response(410)),
    "limited": _fixed(_response(429, retry_after="7")),
    "latin-1": _fixed(b"HTTP/1.1 429 X\r\nretry-after: \xfc\xff\r\ncontent-length: 0\r\n\r\n"),
    "cookie": _fixed(_response(200, set_cookie="session=1; Path=/")),
    "redirect": _fixed(_response(302, location="/landed")),
    "slow": _slow,
    "hang": _hang,
    "large": _large,
    "bomb": _gzip_bomb,
    "bomb-endless": _forever(_GZIPPED, gzip.compress(bytes(10_000_000))),
    "endless": _forever(_OPEN_END, b"x" * 65536),
    "huge-headers": _forever(b"HTTP/1.1 200 OK\r\n", b"x-filler: " + b"x" * 8000 + b"\r\n"),
    "trickle": _forever(b"HTTP/1.1 200 OK\r\nx-slow: ", b"x", DRIP),
    "trickle-body": _forever(_OPEN_END, b"x", DRIP),
    "garbage": _fixed(b"\x16\x03\x01 220 mail.example ESMTP\r\n\r\n"),
    "close": _fixed(b""),
    "reset": _breaking_off(b""),
    "reset-body": _breaking_off(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf"),
}
LAST_WORDS = {
    "bomb-endless",
    "hang",
    "endless",
    "huge-headers",
    "trickle",
    "trickle-body",
    "garbage",
    "close",
    "reset",
    "reset-body",
}
