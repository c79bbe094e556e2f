"""How a webhook authenticates to its receiver: fixed credentials, and tokens from endpoints that may be hostile."""

import asyncio
import json
from base64 import b64encode
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import parse_qs

import pytest

from apps.destinations.kinds import Outcome
from apps.destinations.kinds.webhook import WebhookSender
from apps.destinations.kinds.webhook import sender as sending
from tests.integration.destinations.webhook.conftest import LOOPBACK, MESSAGE, Clock, Names, target
from tests.integration.destinations.webhook.serving import endpoint, http, listening, read_request
from tests.receiver import Receiver

SECRET = "s3cret&=ü"


def oauth2(token_url: str, **more: Any) -> dict[str, Any]:
    return {"type": "oauth2", "token_url": token_url, "client_id": "me:too", "client_secret": SECRET, **more}


def granted(token: object, **more: Any) -> bytes:
    return http(200, json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": 3600, **more}).encode())


async def sent(
    sender: WebhookSender, receiver: Receiver, auth: dict[str, Any], path: str = "/", **more: Any
) -> Outcome:
    return await sender.send(target(receiver.url(path), auth=auth, **more), MESSAGE)


def tokens_seen(receiver: Receiver) -> list[str]:
    return [request.headers["authorization"] for request in receiver.requests]


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ({"type": "basic", "username": "me", "password": "pä:ss"}, "Basic " + b64encode("me:pä:ss".encode()).decode()),
        ({"type": "bearer", "token": "abc.def-_~+/="}, "Bearer abc.def-_~+/="),
    ],
)
async def test_fixed_credentials(sender: WebhookSender, receiver: Receiver, auth: dict[str, Any], header: str) -> None:
    assert (await sent(sender, receiver, auth)).status_code == 200
    assert tokens_seen(receiver) == [header]
    assert receiver.requests[0].headers["webhook-signature"].startswith("v1,")


async def test_a_token_is_asked_for_once_for_all_who_wait(sender: WebhookSender, receiver: Receiver) -> None:
    async with endpoint(granted("t1")) as tokens:
        auth = oauth2(tokens.url, scopes=["read", "write"], audience="hooks")
        outcomes = await asyncio.gather(*(sent(sender, receiver, auth) for _ in range(20)))
        await sent(sender, receiver, auth)
    assert {outcome.status_code for outcome in outcomes} == {200}
    assert set(tokens_seen(receiver)) == {"Bearer t1"}
    [asked] = tokens.requests
    assert asked.line == "POST /token HTTP/1.1"
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.headers["authorization"] == "Basic " + b64encode(b"me%3Atoo:s3cret%26%3D%C3%BC").decode()
    assert parse_qs(asked.body.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["read write"],
        "audience": ["hooks"],
    }


async def test_a_client_may_name_itself_in_the_body(sender: WebhookSender, receiver: Receiver) -> None:
    async with endpoint(granted("t1")) as tokens:
        await sent(sender, receiver, oauth2(tokens.url, style="post"))
    [asked] = tokens.requests
    assert "authorization" not in asked.headers
    assert parse_qs(asked.body.decode())["client_secret"] == [SECRET]


@pytest.mark.parametrize(
    ("expires_in", "after", "asked"),
    [
        (100, 89, 1),
        (100, 91, 2),  # a tenth before its end
        (3600, 3569, 1),
        (3600, 3571, 2),  # half a minute before
        ("100", 89, 1),
        ("100", 91, 2),
        (None, 250, 1),
        (None, 301, 2),
        ("soon", 250, 1),
        (True, 250, 1),
        ([1], 250, 1),
        (0, 0, 2),
        (-1, 0, 2),
        (10**30, 80_000, 1),
        (10**30, 86_401, 2),
        ("9" * 400, 250, 1),
        (1e300, 86_401, 2),
    ],
)
async def test_how_long_a_token_is_kept(
    sender: WebhookSender, receiver: Receiver, clock: Clock, expires_in: object, after: float, asked: int
) -> None:
    async with endpoint(granted("t1", expires_in=expires_in)) as tokens:
        auth = oauth2(tokens.url)
        assert (await sent(sender, receiver, auth)).status_code == 200
        clock.time += after
        assert (await sent(sender, receiver, auth)).status_code == 200
        assert len(tokens.requests) == asked


async def test_a_token_the_receiver_refuses_is_replaced_once(sender: WebhookSender) -> None:
    async with endpoint(granted("t1"), granted("t2")) as tokens, endpoint(http(200), http(401), http(200)) as hook:
        to = target(hook.url, auth=oauth2(tokens.url))
        assert [(await sender.send(to, MESSAGE)).status_code for _ in range(2)] == [200, 200]
    shown = [request.headers["authorization"] for request in hook.requests]
    assert shown == ["Bearer t1", "Bearer t1", "Bearer t2"]
    assert len({request.headers["webhook-id"] for request in hook.requests}) == 1
    assert len(tokens.requests) == 2


async def test_a_receiver_that_refuses_every_token(sender: WebhookSender, receiver: Receiver) -> None:
    async with endpoint(granted("t1"), granted("t2")) as tokens:
        outcome = await sent(sender, receiver, oauth2(tokens.url), "/status/401")
        assert (outcome.status_code, outcome.error) == (401, "")
        assert (len(receiver.requests), len(tokens.requests)) == (2, 2)


async def test_no_destination_uses_the_token_of_another(sender: WebhookSender, receiver: Receiver) -> None:
    async with endpoint(granted("t1"), granted("t2")) as tokens:
        await sent(sender, receiver, oauth2(tokens.url))
        other = oauth2(tokens.url, client_secret="other")
        await sent(sender, receiver, other)
    assert tokens_seen(receiver) == ["Bearer t1", "Bearer t2"]


HOSTILE: list[tuple[str, bytes, str]] = [
    ("redirects", http(302, b"", "location: http://127.0.0.1:1/"), "redirects are not followed"),
    ("refuses", http(401, b'{"error": "invalid_client"}'), "status 401 (invalid_client)"),
    ("repeats the secret", http(400, json.dumps({"error": SECRET}).encode()), "status 400"),
    ("breaks", http(500, b"oops"), "status 500"),
    ("five megabytes", granted("t" * 5_000_000), "too large"),
    ("HTML", http(200, b"<html>welcome</html>", "content-type: text/html"), "no JSON object"),
    ("a list", http(200, b'["access_token"]'), "no JSON object"),
    ("deep", http(200, b"[" * 10_000), "no JSON object"),
    ("not UTF-8", http(200, b'{"access_token": "\xff"}'), "no JSON object"),
    ("nothing", http(200, b""), "no JSON object"),
    ("no token", http(200, b'{"token_type": "Bearer"}'), "no access_token"),
    ("a number", granted(7), "no access_token"),
    ("empty", granted(""), "no access_token"),
    ("a line break", granted("a\r\nx-evil: 1"), "no access_token"),
    ("a bare line feed", granted("a\nb"), "no access_token"),
    ("a null byte", granted("a\x00"), "no access_token"),
    ("a space", granted("a b"), "no access_token"),
    ("beyond ASCII", granted("tökén"), "no access_token"),
    ("very long", granted("t" * 9_000), "no access_token"),
    ("another type", granted("t", token_type="mac"), "another type"),
    ("a type that is none", granted("t", token_type=None), "another type"),
    ("no HTTP", b"220 mail.example ESMTP\r\n\r\n", "not an HTTP answer"),
    ("an endless head", b"HTTP/1.1 200 OK\r\n" + b"x-filler: x\r\n" * 5_000, "too large"),
]


@pytest.mark.parametrize(("answer", "why"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
async def test_an_endpoint_that_gives_no_token(
    sender: WebhookSender, receiver: Receiver, answer: bytes, why: str
) -> None:
    async with endpoint(answer) as tokens:
        outcome = await sent(sender, receiver, oauth2(tokens.url))
        assert (outcome.error, outcome.status_code) == ("auth_failed", None)
        assert outcome.detail.startswith("token endpoint: ")
        assert why in outcome.detail
        assert len(outcome.detail) < 200
        assert SECRET not in outcome.detail
        assert receiver.requests == []
        again = await sent(sender, receiver, oauth2(tokens.url))  # not asked again at once
        assert (again.error, len(tokens.requests)) == ("auth_failed", 1)


async def test_a_failure_is_forgotten_soon(sender: WebhookSender, receiver: Receiver, clock: Clock) -> None:
    async with endpoint(http(500), granted("t1")) as tokens:
        assert (await sent(sender, receiver, oauth2(tokens.url))).error == "auth_failed"
        clock.time += 5.1
        assert (await sent(sender, receiver, oauth2(tokens.url))).status_code == 200


def trickling(start: bytes) -> AbstractAsyncContextManager[int]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(start)
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    return listening(handle)


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nx: ", b"HTTP/1.1 200 OK\r\n\r\n{", b"HTTP/1.1 200 OK\r\n"])
async def test_an_endpoint_that_trickles(
    sender: WebhookSender, receiver: Receiver, start: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "TOKEN_TIMEOUT", 0.2)
    async with trickling(start) as port:
        outcome = await sent(sender, receiver, oauth2(f"http://127.0.0.1:{port}/"), timeout=5.0)
    assert outcome.error == "auth_failed"
    assert outcome.duration_ms < 3_000


async def test_whoever_waits_for_a_token_waits_no_longer_than_its_attempt(
    sender: WebhookSender, receiver: Receiver
) -> None:
    async with trickling(b"HTTP/1.1 200 OK\r\nx: ") as port:
        outcome = await sent(sender, receiver, oauth2(f"http://127.0.0.1:{port}/"), timeout=0.2)
    assert (outcome.error, receiver.requests) == ("auth_failed", [])
    assert outcome.duration_ms < 3_000


async def test_nobody_there(sender: WebhookSender, receiver: Receiver) -> None:
    outcome = await sent(sender, receiver, oauth2("http://127.0.0.1:1/token"))
    assert outcome.error == "auth_failed"
    assert "connection refused" in outcome.detail


@pytest.mark.parametrize("answers", [["10.0.0.1"], ["127.0.0.1", "169.254.169.254"]])
async def test_the_endpoint_is_vetted_like_a_receiver(
    sender: WebhookSender, receiver: Receiver, names: Names, answers: list[str]
) -> None:
    names.answers["login.example"] = answers
    outcome = await sent(sender, receiver, oauth2("https://login.example/token"))
    assert (outcome.error, receiver.requests) == ("auth_failed", [])
    assert "login.example resolves to a refused address" in outcome.detail


async def test_an_endpoint_at_the_receiver_s_own_host_shares_no_connection_with_it(sender: WebhookSender) -> None:
    """Else a long token would be cut where a webhook's answer is."""
    token = "t" * 8_000
    async with endpoint(http(200), granted(token), http(200)) as both:
        await sender.send(target(both.url), MESSAGE)
        assert (await sender.send(target(both.url, auth=oauth2(both.url)), MESSAGE)).status_code == 200
        assert both.requests[-1].headers["authorization"] == f"Bearer {token}"


async def test_ending_while_a_token_is_awaited(names: Names, receiver: Receiver) -> None:
    async with trickling(b"HTTP/1.1 200 OK\r\nx: ") as port:
        async with WebhookSender(LOOPBACK, lookup=names) as sender:
            waiting = asyncio.create_task(sent(sender, receiver, oauth2(f"http://127.0.0.1:{port}/")))
            await asyncio.sleep(0.05)
        with pytest.raises(asyncio.CancelledError):
            await waiting
