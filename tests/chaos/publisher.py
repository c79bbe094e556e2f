"""A process of producers: each publishes its events one after another, each until it is answered with 202.

    python -m tests.chaos.publisher '{"port": …, "api_key": …, "events": …, "producers": …, "rate": …, "book": …}'

Whatever else comes, an error, a cut connection or nothing at all, it asks again under the same idempotency key: it
can't know whether the event was accepted. Prints, in the end, how often it was answered how.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import uniform
from typing import TextIO

import httptools
import uvloop

from tests.bench.limit.load import Client
from tests.chaos.records import Published, ordering_key

ACCEPTED = 202
ANSWER_TIME = 40.0  # seconds; longer than any answer may take
NO_ANSWER = (OSError, TimeoutError, httptools.HttpParserError)
PAUSE = (0.05, 0.25)  # seconds before it asks again, between
PAD = "p" * 200
HEAD = (
    "POST /api/v1/events HTTP/1.1\r\nhost: 127.0.0.1:{plan.port}\r\ncontent-type: application/json\r\n"
    "authorization: Bearer {plan.api_key}\r\nidempotency-key: {key}\r\ncontent-length: {length}\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class Plan:
    """`rate`: events a second of all producers together; `ordered`: with an ordering key."""

    port: int
    api_key: str
    events: int
    producers: int
    rate: float
    book: str
    ordered: bool = False


class Caller(Client):
    """A connection that keeps the answer's body."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.body = b""

    def on_message_begin(self) -> None:
        self.body = b""

    def on_body(self, body: bytes) -> None:
        self.body += body


class Publisher:
    """All producers of one plan."""

    def __init__(self, plan: Plan, book: TextIO) -> None:
        self.plan, self._book = plan, book
        self.answers: Counter[str] = Counter()
        self._begun = 0

    async def run(self) -> None:
        self._start = time.perf_counter()
        await asyncio.gather(*map(self._produce, range(self.plan.producers)))

    async def _produce(self, producer: int) -> None:
        caller: Caller | None = None
        share = range(producer, self.plan.events, self.plan.producers)
        for number in range(len(share)):
            await self._pace()
            caller = await self._publish(caller, f"{producer}-{number}")
        if caller:
            caller.transport.close()

    async def _pace(self) -> None:
        due = self._start + self._begun / self.plan.rate
        self._begun += 1
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)

    async def _publish(self, caller: Caller | None, key: str) -> Caller:
        """Returns the connection for the next one."""
        requests = 0
        while True:
            requests += 1
            try:
                caller = caller or await self._connected()
                status = await self._asked(caller, key)
            except NO_ANSWER:
                self.answers["none"] += 1
                if caller:
                    caller.transport.abort()
                caller = None
            else:
                self.answers[str(status)] += 1
                if status == ACCEPTED:
                    event = json.loads(caller.body)["id"]
                    self._book.write(Published(time.time(), key, event, requests).line())
                    return caller
            await asyncio.sleep(uniform(*PAUSE))

    async def _connected(self) -> Caller:
        loop = asyncio.get_running_loop()
        _, caller = await loop.create_connection(Caller, "127.0.0.1", self.plan.port)
        return caller

    async def _asked(self, caller: Caller, key: str) -> int:
        if caller.transport.is_closing():  # since its last answer; uvloop raises RuntimeError for a write to such a one
            raise ConnectionResetError
        caller.future = asyncio.get_running_loop().create_future()
        caller.transport.write(self._request(key))
        return await asyncio.wait_for(caller.future, ANSWER_TIME)

    def _request(self, key: str) -> bytes:
        event = {"type": "chaos.made", "data": {"key": key, "pad": PAD}}
        if self.plan.ordered:
            event["ordering_key"] = ordering_key(key)
        body = json.dumps(event).encode()
        head = HEAD.format(plan=self.plan, key=key, length=len(body))
        return head.encode() + body


if __name__ == "__main__":
    plan = Plan(**json.loads(sys.argv[1]))
    with Path(plan.book).open("w", buffering=1) as book:  # a line at a time: others read it while it grows
        publisher = Publisher(plan, book)
        uvloop.run(publisher.run())
    print(json.dumps(publisher.answers))
