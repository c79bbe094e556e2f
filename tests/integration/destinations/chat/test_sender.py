"""A chat's webhook on a real socket: what is posted, and that it goes where deliveries may go, and no further."""

import json
from collections.abc import Sequence

import pytest

from apps.destinations.egress import EgressPolicy
from apps.destinations.kinds import Message, Target
from apps.destinations.kinds.chat import ChatKind, ChatSender
from tests.integration.destinations.webhook.conftest import LOOPBACK
from tests.receiver import Receiver

BODY = b'{"type":"invoice.paid","timestamp":"2026-11-22T20:41:07.113862Z","data":{"id":"in_42"}}'
MESSAGE = Message("evt_1", BODY, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


def target(url: str, style: str = "slack") -> Target:
    return Target("dst_1", {"url": url, "style": style})


async def test_what_is_posted() -> None:
    with Receiver() as receiver:
        async with ChatSender(LOOPBACK) as sender:
            outcome = await sender.send(target(receiver.url("/services/x")), MESSAGE)
        [request] = receiver.wait_for(1)
    assert (outcome.status_code, outcome.error) == (200, "")
    assert (request.method, request.path, request.headers["content-type"]) == (
        "POST",
        "/services/x",
        "application/json",
    )
    assert json.loads(request.body)["text"].splitlines()[-2:] == ["id: in_42", "event: evt_1"]
    assert not [name for name in request.headers if name.startswith("webhook-")]
    assert "traceparent" not in request.headers  # a chat is no part of anybody's trace


async def test_answers_count_as_a_webhook_s() -> None:
    with Receiver() as receiver:
        async with ChatSender(LOOPBACK) as sender:
            limited = await sender.send(target(receiver.url("/limited")), MESSAGE)
            moved = await sender.send(target(receiver.url("/redirect")), MESSAGE)
            large = await sender.send(target(receiver.url("/endless")), MESSAGE)
    assert (limited.status_code, limited.retry_after) == (429, "7")
    assert (moved.status_code, moved.detail) == (302, "redirects are not followed")
    assert len(large.body) <= 1024


async def test_private_addresses_are_refused() -> None:
    async with ChatKind(EgressPolicy).sender() as sender:
        outcome = await sender.send(target("https://127.0.0.1:9/"), MESSAGE)
    assert outcome.error == "address_refused"


@pytest.mark.parametrize(
    "url", ["http://hooks.slack.com/services/s3cret", "http://10.0.0.1/s3cret", "http://[::1/s3cret", "s3cret", ""]
)
async def test_one_stored_before_https_was_the_rule_is_not_sent_to(url: str) -> None:
    async with ChatSender(LOOPBACK, lookup=nobody_asks) as sender:
        outcome = await sender.send(target(url), MESSAGE)
    assert (outcome.status_code, outcome.error) == (None, "https_required")
    assert "the URL" in outcome.detail
    assert "s3cret" not in outcome.detail + outcome.inner


async def test_a_name_that_leads_into_an_opened_network_is_no_exception() -> None:
    """As when it is saved: a name may lead elsewhere tomorrow."""
    with Receiver() as receiver:
        async with ChatSender(LOOPBACK, lookup=nobody_asks) as sender:
            outcome = await sender.send(target(receiver.url("/services/x", host="chat.internal")), MESSAGE)
    assert (outcome.error, receiver.requests) == ("https_required", [])


def nobody_asks(host: str) -> Sequence[str]:
    raise AssertionError(host)
