"""Attempts without an answer: a stable code, a line for people, no exception, and the deadline kept."""

import asyncio
import socket
from collections.abc import Sequence
from threading import Event

import pytest

from apps.destinations.egress import EgressPolicy
from apps.destinations.kinds import Target
from apps.destinations.kinds.webhook import WebhookSender
from tests.integration.destinations.webhook.conftest import LOOPBACK, MESSAGE, Names, target
from tests.receiver import Receiver

SOON = 0.3  # seconds: how long the receivers that never answer are waited for


@pytest.mark.parametrize(
    ("path", "error", "detail"),
    [
        ("/huge-headers", "protocol_error", "message head is too large"),
        ("/garbage", "protocol_error", "Expected HTTP/"),
        ("/status/7", "protocol_error", "status"),
        ("/reset", "connect_failed", "connection reset"),
        ("/close", "connect_failed", "connection closed before an answer came"),
    ],
)
async def test_what_is_no_answer(sender: WebhookSender, receiver: Receiver, path: str, error: str, detail: str) -> None:
    outcome = await sender.send(target(receiver.url(path)), MESSAGE)
    assert (outcome.status_code, outcome.error, outcome.body) == (None, error, b"")
    assert detail in outcome.detail
    await asyncio.to_thread(receiver.wait_until, lambda: receiver.open == 0)


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/hang", None, "no answer within 0.3 s"),
        ("/trickle", None, "no answer within 0.3 s"),
        ("/trickle-body", 200, "status 200 came, but its body did not end within 0.3 s"),
    ],
)
async def test_the_deadline_ends_an_attempt_and_its_connection(
    sender: WebhookSender, receiver: Receiver, path: str, status: int | None, detail: str
) -> None:
    outcome = await sender.send(target(receiver.url(path), timeout=SOON), MESSAGE)
    assert (outcome.error, outcome.status_code, outcome.detail) == ("timeout", status, detail)
    assert 300 <= outcome.duration_ms < 3000
    await asyncio.to_thread(receiver.wait_until, lambda: receiver.open == 0)


async def test_nobody_listens(sender: WebhookSender) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    outcome = await sender.send(target(f"http://hook.example:{port}/"), MESSAGE)
    assert outcome.error == "connect_failed"
    assert outcome.detail == f"127.0.0.1 port {port}: connection refused"


async def test_a_name_server_that_does_not_answer_is_waited_for_until_the_deadline() -> None:
    release = Event()

    def never(host: str) -> Sequence[str]:
        release.wait()
        return []

    async with WebhookSender(LOOPBACK, lookup=never) as sender:
        outcome = await sender.send(target("http://slow.example/", timeout=SOON), MESSAGE)
        release.set()
    assert (outcome.error, outcome.detail) == ("timeout", "the name server did not answer within 0.3 s")


async def test_a_name_that_does_not_exist() -> None:
    async with WebhookSender(LOOPBACK) as sender:
        outcome = await sender.send(target("http://no-such-name.invalid/"), MESSAGE)
    assert outcome.error == "dns_failed"
    assert "no-such-name.invalid" in outcome.detail


async def test_the_system_s_own_names_are_vetted_too(receiver: Receiver) -> None:
    async with WebhookSender(EgressPolicy()) as sender:
        outcome = await sender.send(target(receiver.url(host="localhost")), MESSAGE)
    assert outcome.error == "address_refused"
    assert receiver.accepted == 0


@pytest.mark.parametrize(
    "config",
    [{}, {"url": ""}, {"url": "ftp://example.com/"}, {"url": 7}, {"headers": {"x y": "z"}}, {"headers": {"x": "\n"}}],
    ids=str,
)
async def test_a_damaged_config_fails_the_attempt_and_nothing_else(
    sender: WebhookSender, receiver: Receiver, config: dict[str, object]
) -> None:
    damaged = Target("dst_1", config if "url" in config or not config else {"url": receiver.url(), **config})
    outcome = await sender.send(damaged, MESSAGE)
    assert outcome.error == "request_failed"
    assert receiver.requests == []


async def test_a_time_that_is_up_already_sends_nothing(sender: WebhookSender, receiver: Receiver) -> None:
    outcome = await sender.send(target(receiver.url(), timeout=0), MESSAGE)
    assert outcome.error == "timeout"
    assert receiver.accepted == 0


async def test_cancellation_passes_through_and_leaves_nothing_behind(
    sender: WebhookSender, receiver: Receiver, names: Names
) -> None:
    await sender.send(target(receiver.url()), MESSAGE)
    before = asyncio.all_tasks()
    sending = asyncio.create_task(sender.send(target(receiver.url("/hang"), timeout=60), MESSAGE))
    await asyncio.to_thread(receiver.wait_for, 2)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert asyncio.all_tasks() == before
    await asyncio.to_thread(receiver.wait_until, lambda: receiver.open == 0)  # at once, not at the deadline
    assert (await sender.send(target(receiver.url()), MESSAGE)).status_code == 200
