"""The bare limit: the same job with every feature left out, to divide by.

    DSN=… SINK=… python -m tests.bench.limit.bare schema | edge PORT | engine UNTIL

`edge` accepts POST /v1/events, commits event and delivery in one grouped transaction, then answers 202. `engine`
claims, signs, sends and settles in sets. No auth, schema, filter, retry, breaker, metrics, log or admin.
"""

import asyncio
import base64
import contextlib
import hmac
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import psycopg
import uvloop

from apps.kernel.ids import new_uuid

DSN = os.environ.get("DSN", "host=127.0.0.1 user=postgres dbname=postgres")
SINK = os.environ.get("SINK", "http://127.0.0.1:9100/hook")

SCHEMA = """
    drop table if exists bare_event, bare_delivery;
    create table bare_event(id uuid primary key, project_id bigint not null, type text not null,
        payload bytea not null, created timestamptz not null default now());
    create table bare_delivery(id uuid primary key, event_id uuid not null, destination_id bigint not null,
        state smallint not null, due timestamptz not null, attempts smallint not null default 0);
    create index on bare_delivery(due) where state = 0"""
INSERT_EVENTS = """insert into bare_event(id, project_id, type, payload)
    select * from unnest(%b::uuid[], %b::bigint[], %b::text[], %b::bytea[])"""
INSERT_DELIVERIES = """insert into bare_delivery(id, event_id, destination_id, state, due)
    select *, 0, now() from unnest(%b::uuid[], %b::uuid[], %b::bigint[])"""
CLAIM = """with due as (select id from bare_delivery where state = 0 and due <= now() order by due limit 500
        for update skip locked),
    claimed as (update bare_delivery d set state = 1, due = now() + interval '60s' from due
        where d.id = due.id returning d.id, d.event_id)
    select claimed.id, event_id, payload from claimed join bare_event e on e.id = event_id"""
SETTLE = "update bare_delivery d set state = 2, attempts = attempts + 1 from unnest(%b::uuid[]) u(id) where d.id = u.id"


class Event(msgspec.Struct):
    type: str
    data: msgspec.Raw


class GroupCommit:
    """Concurrent requests share a commit."""

    def __init__(self) -> None:
        self.waiting: list[tuple[uuid.UUID, str, bytes, asyncio.Future[None]]] = []
        self.wake = asyncio.Event()

    async def run(self) -> None:
        connection = await psycopg.AsyncConnection.connect(DSN, autocommit=True)
        while True:
            await self.wake.wait()
            self.wake.clear()
            while self.waiting:
                batch, self.waiting = self.waiting[:1000], self.waiting[1000:]
                await self._commit(connection, batch)
                for *_, future in batch:
                    future.set_result(None)

    async def _commit(self, connection: psycopg.AsyncConnection[Any], batch: list[Any]) -> None:
        ids, ones = [row[0] for row in batch], [1] * len(batch)
        async with connection.pipeline(), connection.transaction():
            await connection.execute(INSERT_EVENTS, (ids, ones, [row[1] for row in batch], [row[2] for row in batch]))
            await connection.execute(INSERT_DELIVERIES, ([new_uuid() for _ in ids], ids, ones))

    async def put(self, event_id: uuid.UUID, type: str, payload: bytes) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append((event_id, type, payload, future))
        self.wake.set()
        await future


def edge(port: int) -> None:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    decoder, group = msgspec.json.Decoder(Event), GroupCommit()

    async def accept(request: Request) -> Response:
        body = await request.body()
        event, event_id = decoder.decode(body), new_uuid()
        await group.put(event_id, event.type, body)
        return Response(b'{"id":"%s"}' % str(event_id).encode(), status_code=202, media_type="application/json")

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(group.run())
        yield
        task.cancel()

    app = Starlette(routes=[Route("/v1/events", accept, methods=["POST"])], lifespan=lifespan)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="critical", access_log=False)


class Engine:
    """Claims, signs, sends, settles."""

    def __init__(self, until: int) -> None:
        self.until, self.total = until, 0
        self.slots, self.done = asyncio.Semaphore(256), list[uuid.UUID]()
        self.tasks = set[asyncio.Task[None]]()

    async def run(self) -> None:
        from pyreqwest.client import ClientBuilder

        claims = await psycopg.AsyncConnection.connect(DSN, autocommit=True)
        async with ClientBuilder().follow_redirects(False).build() as self.http:
            settler = asyncio.create_task(self._settle())
            while self.total < self.until:
                rows = await (await claims.execute(CLAIM)).fetchall()
                for row in rows:
                    await self.slots.acquire()
                    self._start(row)
                if not rows:
                    await asyncio.sleep(0.005)
            settler.cancel()

    def _start(self, row: Any) -> None:
        task = asyncio.create_task(self._send(*row))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _send(self, delivery_id: uuid.UUID, event_id: uuid.UUID, payload: bytes) -> None:
        at = str(int(time.time()))
        digest = hmac.digest(b"k" * 24, f"{event_id}.{at}.".encode() + payload, "sha256")
        headers = {
            "content-type": "application/json",
            "webhook-id": str(event_id),
            "webhook-timestamp": at,
            "webhook-signature": "v1," + base64.b64encode(digest).decode(),
        }
        try:
            response = await self.http.post(SINK).headers(headers).body_bytes(payload).build().send()
            await response.bytes()
            self.done.append(delivery_id)
        finally:
            self.slots.release()

    async def _settle(self) -> None:
        settles = await psycopg.AsyncConnection.connect(DSN, autocommit=True)
        while True:
            await asyncio.sleep(0.02)
            if self.done:
                batch, self.done = self.done, []
                await settles.execute(SETTLE, (batch,))
                self.total += len(batch)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["schema"]:
            with psycopg.connect(DSN, autocommit=True) as connection:
                connection.execute(SCHEMA)
        case ["edge", port]:
            edge(int(port))
        case ["engine", until]:
            uvloop.run(Engine(int(until)).run())
        case _:
            raise SystemExit(__doc__)
