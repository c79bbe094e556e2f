"""A receiver that is never the bottleneck: answers every request 200 and counts what came.

/hang never answers and /fail answers 500; neither is counted. GET /stats gives requests, unique webhook-ids, first and
last arrival (unix seconds), and latency quantiles in ms, from the `"t":<unix ns>` that the load generator puts into
each event's data. GET /reset forgets everything.
"""

import asyncio
import json
import re
import sys
import time
from typing import cast

import httptools
import uvloop

STAMP = re.compile(rb'"t":\s?(\d{16,20})')


class Book:
    """What was received."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.requests = 0
        self.ids: set[bytes] = set()
        self.latency_ms: list[float] = []
        self.first: float | None = None
        self.last: float | None = None

    def note(self, webhook_id: bytes, body: bytes) -> None:
        now = time.time()
        self.requests += 1
        self.first = self.first or now
        self.last = now
        self.ids.add(webhook_id)
        if stamp := STAMP.search(body):
            self.latency_ms.append(now * 1e3 - int(stamp[1]) / 1e6)

    def stats(self) -> bytes:
        ordered = sorted(self.latency_ms)
        latency = {name: quantile(ordered, q) for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}
        counts = {"requests": self.requests, "unique": len(self.ids), "first": self.first, "last": self.last}
        return json.dumps({**counts, "latency_ms": latency}).encode()


def quantile(ordered: list[float], q: float) -> float | None:
    return round(ordered[min(len(ordered) - 1, int(q * len(ordered)))], 2) if ordered else None


BOOK = Book()


class Http(asyncio.Protocol):
    """The least HTTP/1.1 that clients accept."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own is no subclass
        self.parser = httptools.HttpRequestParser(self)
        self.url, self.webhook_id, self.body = b"", b"", b""

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url, self.webhook_id, self.body = url, b"", b""

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"webhook-id":
            self.webhook_id = value

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        match self.url:
            case b"/stats":
                self.answer(BOOK.stats())
            case b"/reset":
                BOOK.reset()
                self.answer(b"ok")
            case b"/hang":
                return
            case b"/fail":
                self.answer(b"no", b"500 No")
            case _:
                BOOK.note(self.webhook_id, self.body)
                self.answer(b"ok")

    def answer(self, body: bytes, status: bytes = b"200 OK") -> None:
        self.transport.write(b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body))


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Http, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
