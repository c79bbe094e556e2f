"""Connections that are kept: what receivers may do with them meanwhile, and how long they are."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace

import pytest

from apps.destinations.kinds.webhook import WebhookSender, pool
from tests.integration.destinations.webhook.conftest import MESSAGE, target
from tests.receiver import Receiver

type Serve = Callable[[int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
OTHER = b"HTTP/1.1 202 Yes\r\ncontent-length: 5\r\n\r\nother"


async def read_request(reader: asyncio.StreamReader) -> None:
    await reader.readuntil(b"\r\n\r\n" + MESSAGE.body)


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[str]:
    """A receiver in this loop, told the number of each connection, from 1; gives its URL."""
    tasks: list[asyncio.Task[None]] = []

    async def serve_one(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(EOFError, OSError), closing(writer):
            await serve(number, reader, writer)

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.create_task(serve_one(len(tasks) + 1, reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_request_that_a_closing_connection_swallowed_goes_over_a_new_one(sender: WebhookSender) -> None:
    async def hang_up_on_the_second(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(OK if number == 1 else OTHER)
        await read_request(reader)

    async with serving(hang_up_on_the_second) as url:
        statuses = [(await sender.send(target(url), MESSAGE)).status_code for _ in range(2)]
    assert statuses == [200, 202]


async def test_a_new_connection_that_is_closed_is_not_followed_by_another(sender: WebhookSender) -> None:
    seen = []

    async def hang_up(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(number)
        await read_request(reader)

    async with serving(hang_up) as url:
        assert (await sender.send(target(url), MESSAGE)).error == "connect_failed"
    assert seen == [1]


async def test_a_closed_connection_is_not_kept(sender: WebhookSender) -> None:
    async def answer_once(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(OK)

    async with serving(answer_once) as url:
        assert {(await sender.send(target(url), MESSAGE)).status_code for _ in range(5)} == {200}


async def test_an_answer_that_nobody_asked_for_is_taken_by_nobody(sender: WebhookSender) -> None:
    said = asyncio.Event()

    async def answer_ahead(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(OK)
        if number == 1:
            await writer.drain()
            await asyncio.sleep(0.05)  # a packet of its own
            writer.write(OTHER)
            assert not await reader.read()  # it is hung up on
            said.set()

    async with serving(answer_ahead) as url:
        assert (await sender.send(target(url), MESSAGE)).body == b"ok"
        await said.wait()
        assert (await sender.send(target(url), MESSAGE)).body == b"ok"


async def test_an_answer_may_come_before_all_was_sent(sender: WebhookSender) -> None:
    connections = []

    async def refuse_at_once(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(number)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too large\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        await asyncio.Event().wait()  # and the rest is never read

    async with serving(refuse_at_once) as url:
        large = replace(MESSAGE, body=b"x" * 20_000_000)
        assert (await sender.send(target(url), large)).status_code == 413
        assert (await sender.send(target(url), MESSAGE)).status_code == 413
        assert connections == [1, 2]


async def test_a_large_body_arrives_whole(sender: WebhookSender, receiver: Receiver) -> None:
    body = bytes(range(256)) * 4096
    assert (await sender.send(target(receiver.url()), replace(MESSAGE, body=body))).status_code == 200
    assert receiver.requests[0].body == body


async def test_an_idle_connection_is_closed_some_day(
    sender: WebhookSender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "IDLE_TIMEOUT", 0.1)
    await sender.send(target(receiver.url()), MESSAGE)
    await asyncio.to_thread(receiver.wait_until, lambda: receiver.open == 0)
    assert (await sender.send(target(receiver.url()), MESSAGE)).status_code == 200


async def test_a_receiver_that_never_speaks_tls_is_waited_for_until_the_deadline(sender: WebhookSender) -> None:
    async def say_nothing(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(say_nothing) as url:
        outcome = await sender.send(target(url.replace("http", "https"), timeout=0.3), MESSAGE)
    assert (outcome.error, outcome.status_code) == ("timeout", None)
    assert "no connection in time" in outcome.detail
