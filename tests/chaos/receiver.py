"""A receiver in a process of its own that writes down every request: id, key, time, and whether it took the event.

    python -m tests.chaos.receiver PORT BOOK

`/slow/20` answers 200 after 20 milliseconds, so that something is in flight at every moment. `/hostile` treats one in
five events in one of the ways of HOSTILE, at the first attempt only; the next attempt is taken.
"""

import asyncio
import socket
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from re import compile as pattern
from zlib import crc32

import uvloop

from tests.bench.limit.sink import Http
from tests.chaos.records import Receipt

KEY = pattern(rb'"key":\s?"([0-9]+-[0-9]+)"')
FLUSH = 0.02  # seconds between two writes of the book
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
DRIP = 0.05  # seconds between two bytes of a trickle
SHARE = 5  # one in so many is treated badly


class Book:
    """The lines, and which events were here before."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w")
        self._due = False
        self.seen: set[bytes] = set()

    def note(self, event: bytes, body: bytes, *, took: bool) -> None:
        found = KEY.search(body)
        key = found[1].decode() if found else "?"
        self._file.write(Receipt(time.time(), event.decode() or "?", key, took).line())
        self.seen.add(event)
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(FLUSH, self._flush)

    def _flush(self) -> None:
        self._due = False
        self._file.flush()


class Recorder(Http):
    """One connection."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._open = True

    def connection_lost(self, exc: Exception | None) -> None:
        self._open = False

    def on_message_complete(self) -> None:
        name, _, argument = self.url.decode().strip("/").partition("/")
        if name == "hostile" and self.webhook_id not in self._book.seen:
            lot = crc32(self.webhook_id)
            if lot % SHARE == 0:
                self._hostile(HOSTILE[lot // SHARE % len(HOSTILE)])
                return
        self._book.note(self.webhook_id, self.body, took=True)
        delay = int(argument or 0) / 1000
        asyncio.get_running_loop().call_later(delay, self.send, OK) if delay else self.send(OK)

    def _hostile(self, way: "tuple[Callable[[Recorder], None], bool]") -> None:
        behave, took = way
        self._book.note(self.webhook_id, self.body, took=took)
        behave(self)

    def send(self, piece: bytes) -> None:
        if self._open:
            self.transport.write(piece)

    def reset(self) -> None:
        """RST instead of FIN."""
        plug: socket.socket = self.transport.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def repeat(self, piece: bytes, pause: float, *, most: int = 1_000_000) -> None:
        """Until the other side hangs up; not faster than it reads."""
        if self._open and most:
            if self.transport.get_write_buffer_size() < 1_000_000:
                self.transport.write(piece)
            asyncio.get_running_loop().call_later(pause, lambda: self.repeat(piece, pause, most=most - 1))


def _reset_body(one: Recorder) -> None:
    one.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf")
    asyncio.get_running_loop().call_later(0.02, lambda: one.reset() if one._open else None)


def _after(start: bytes, piece: bytes, pause: float) -> Callable[[Recorder], None]:
    def behave(one: Recorder) -> None:
        one.send(start)
        one.repeat(piece, pause)

    return behave


# How it behaves, and whether a 2xx was said: then the receiver has taken it.
HOSTILE: tuple[tuple[Callable[[Recorder], None], bool], ...] = (
    (Recorder.reset, False),
    (lambda one: one.send(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"), False),
    (lambda one: None, False),  # it stalls
    (_after(b"HTTP/1.1 200 OK\r\nx-slow: ", b"x", DRIP), False),
    (lambda one: one.send(b"\x16\x03\x01 220 mail.example ESMTP\r\n\r\n"), False),
    (_after(b"HTTP/1.1 200 OK\r\n", b"x-filler: " + b"x" * 8000 + b"\r\n", 0.001), False),
    (_after(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536, 0.001), True),
    (_reset_body, True),
)


async def serve(port: int, book: Book) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Recorder(book), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), Book(Path(sys.argv[2]))))
