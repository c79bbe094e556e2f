"""What is sent, and what is made of each answer."""

import asyncio
import time
import tracemalloc
from dataclasses import replace

import pytest
from standardwebhooks import Webhook

from apps.destinations.kinds import SigningKey
from apps.destinations.kinds.webhook import WebhookSender
from apps.destinations.kinds.webhook.route import USER_AGENT
from apps.destinations.kinds.webhook.signing import format_secret
from tests.integration.destinations.webhook.conftest import MESSAGE, SECRET, target
from tests.receiver import Receiver


async def test_the_request_is_a_standard_webhook(sender: WebhookSender, receiver: Receiver) -> None:
    before = int(time.time())
    outcome = await sender.send(target(receiver.url("/hook?a=b")), MESSAGE)
    assert (outcome.status_code, outcome.error, outcome.body) == (200, "", b"ok")
    (request,) = receiver.requests
    assert (request.method, request.path, request.body) == ("POST", "/hook?a=b", MESSAGE.body)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == USER_AGENT
    assert request.headers["webhook-id"] == "evt_1"
    assert before <= int(request.headers["webhook-timestamp"]) <= time.time()
    assert "traceparent" not in request.headers
    assert "accept-encoding" not in request.headers  # we read the bytes as they come


async def test_receivers_verify_the_signature(sender: WebhookSender, receiver: Receiver) -> None:
    old, message = b"o" * 24, replace(MESSAGE, body=b'{"type": "invoice.paid"}')
    await sender.send(
        replace(target(receiver.url()), secrets=(SigningKey("v1", SECRET), SigningKey("v1", old))), message
    )
    (request,) = receiver.requests
    for secret in (SECRET, old):
        Webhook(format_secret(secret)).verify(request.body, request.headers)


async def test_trace_and_custom_headers_go_along(sender: WebhookSender, receiver: Receiver) -> None:
    custom = {"authorization": "Bearer token", "user-agent": "mine/1.0", "x-empty": ""}
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await sender.send(target(receiver.url(), headers=custom), replace(MESSAGE, traceparent=trace))
    (request,) = receiver.requests
    assert {**request.headers, **custom, "traceparent": trace} == request.headers


@pytest.mark.parametrize(
    ("path", "status", "retry_after", "detail"),
    [
        ("/status/204", 204, "", ""),
        ("/status/304", 304, "", "redirects are not followed"),
        ("/status/404", 404, "", ""),
        ("/fail", 500, "", ""),
        ("/gone", 410, "", ""),
        ("/limited", 429, "7", ""),
        ("/latin-1", 429, "", ""),
        ("/reset-body", 200, "", "the answer broke off"),
    ],
)
async def test_any_status_is_an_answer(
    sender: WebhookSender, receiver: Receiver, path: str, status: int, retry_after: str, detail: str
) -> None:
    outcome = await sender.send(target(receiver.url(path)), MESSAGE)
    assert (outcome.status_code, outcome.error) == (status, "")
    assert (outcome.retry_after, outcome.detail) == (retry_after, detail)


async def test_redirects_are_not_followed(sender: WebhookSender, receiver: Receiver) -> None:
    outcome = await sender.send(target(receiver.url("/redirect")), MESSAGE)
    assert (outcome.status_code, outcome.detail) == (302, "redirects are not followed")
    await sender.send(target(receiver.url("/fail")), MESSAGE)
    assert [request.path for request in receiver.requests] == ["/redirect", "/fail"]


async def test_cookies_are_not_kept(sender: WebhookSender, receiver: Receiver) -> None:
    for _ in range(2):
        await sender.send(target(receiver.url("/cookie")), MESSAGE)
    assert ["cookie" in request.headers for request in receiver.requests] == [False, False]


async def test_proxies_of_the_environment_are_not_used(
    sender: WebhookSender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await sender.send(target(receiver.url()), MESSAGE)).status_code == 200


@pytest.mark.parametrize(("path", "length"), [("/large/0", 0), ("/large/1023", 1023), ("/large/16000", 1024)])
async def test_the_first_bytes_of_the_answer_are_kept(
    sender: WebhookSender, receiver: Receiver, path: str, length: int
) -> None:
    assert (await sender.send(target(receiver.url(path)), MESSAGE)).body == b"x" * length


@pytest.mark.parametrize("path", ["/endless", "/large/40000000"])
async def test_a_body_beyond_our_bound_is_cut_and_its_connection_dropped(
    sender: WebhookSender, receiver: Receiver, path: str
) -> None:
    outcome = await sender.send(target(receiver.url(path)), MESSAGE)
    assert (outcome.status_code, outcome.error, outcome.body) == (200, "", b"x" * 1024)
    await asyncio.to_thread(receiver.wait_until, lambda: receiver.open == 0)


async def test_the_whole_attempt_is_timed(sender: WebhookSender, receiver: Receiver) -> None:
    outcome = await sender.send(target(receiver.url("/slow/50")), MESSAGE)
    assert outcome.status_code == 200
    assert 50 <= outcome.duration_ms < 5000


@pytest.mark.parametrize("path", ["/bomb", "/bomb-endless"])
async def test_a_compressed_answer_is_never_unpacked(sender: WebhookSender, receiver: Receiver, path: str) -> None:
    """What is kept are its first bytes as they came, and what it takes to read them is what any answer takes."""
    await sender.send(target(receiver.url("/hook")), MESSAGE)
    tracemalloc.start()
    try:
        outcome = await sender.send(target(receiver.url(path)), MESSAGE)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (outcome.status_code, outcome.error) == (200, "")
    assert outcome.body.startswith(b"\x1f\x8b")
    assert len(outcome.body) == 1024
    assert outcome.duration_ms < 5_000
    assert most < 5_000_000  # the receiver's own part of it, in this process, is the most
