"""A load generator that is never the bottleneck: keep-alive connections, prebuilt requests.

Each event is the template with %t = unix nanoseconds and %n = a running number; with --batch B, B of them are wrapped
into one request, and with --types M their types are t.0 to t.M-1 in turn. Prints JSON: events/s, answers by status,
latency quantiles in ms.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from typing import cast
from urllib.parse import urlsplit

import httptools
import uvloop

from tests.bench.limit.sink import quantile

PAD = "a" * 400
TEMPLATE = '{"type":"invoice.paid","data":{"t":%t,"n":%n,"amount":1200,"currency":"eur","pad":"' + PAD + '"}}'
WRAP = '{"events":[%s]}'


class Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own is no subclass
        self.parser = httptools.HttpResponseParser(self)
        self.future: asyncio.Future[int] | None = None

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        assert self.future
        self.future.set_result(self.parser.get_status_code())

    def connection_lost(self, exc: Exception | None) -> None:
        if self.future and not self.future.done():
            self.future.set_exception(exc or ConnectionResetError("closed"))


class Load:
    """A bounded run: `count` events, at most `rate` a second where one is given."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.sent = args, 0
        self.statuses: Counter[int] = Counter()
        self.latency_ms: list[float] = []
        url = urlsplit(args.url)
        headers = "".join(f"{line}\r\n" for line in ["content-type: application/json", *args.header])
        self.head = f"POST {url.path} HTTP/1.1\r\nhost: {url.netloc}\r\n{headers}".encode()
        self.address = (url.hostname, url.port)
        self.template = TEMPLATE.replace("invoice.paid", "t.%m") if args.types else TEMPLATE

    async def run(self) -> str:
        self.start = time.perf_counter()
        await asyncio.gather(*[self._connection() for _ in range(self.args.connections)])
        return self._report(time.perf_counter() - self.start)

    async def _connection(self) -> None:
        _, client = await asyncio.get_running_loop().create_connection(Client, *self.address)
        while self.sent < self.args.count:
            await self._pace()
            if self.sent < self.args.count:
                await self._request(client)
        client.transport.close()

    async def _pace(self) -> None:
        due = self.start + self.sent / self.args.rate if self.args.rate else 0
        if due > time.perf_counter():
            await asyncio.sleep(due - time.perf_counter())

    async def _request(self, client: Client) -> None:
        payload, began = self._body(), time.perf_counter()
        client.future = asyncio.get_running_loop().create_future()
        client.transport.write(b"%scontent-length: %d\r\n\r\n%s" % (self.head, len(payload), payload))
        self.statuses[await client.future] += 1
        self.latency_ms.append((time.perf_counter() - began) * 1e3)

    def _body(self) -> bytes:
        events = []
        for _ in range(self.args.batch):
            event = self.template.replace("%t", str(time.time_ns())).replace("%n", str(self.sent))
            events.append(event.replace("%m", str(self.sent % self.args.types)) if self.args.types else event)
            self.sent += 1
        return (WRAP.replace("%s", ",".join(events)) if self.args.batch > 1 else events[0]).encode()

    def _report(self, took: float) -> str:
        accepted = self.statuses[202] * self.args.batch
        ordered = sorted(self.latency_ms)
        latency = {"p50": quantile(ordered, 0.5), "p99": quantile(ordered, 0.99)}
        report = {"events": accepted, "events_per_s": round(accepted / took), "statuses": self.statuses}
        return json.dumps({**report, "latency_ms": latency})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--types", type=int, default=0)
    print(uvloop.run(Load(parser.parse_args()).run()))
