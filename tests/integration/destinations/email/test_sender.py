"""Letters to a real mail server, and to some that misbehave."""

import asyncio
import smtplib
import time
from collections.abc import Iterator
from typing import Any

import pytest

from apps.destinations.kinds import Message, Outcome, Target
from apps.destinations.kinds.email import EmailSender
from apps.destinations.kinds.email.failures import LONGEST
from apps.destinations.kinds.email.handing import Handing
from apps.destinations.kinds.email.server import MailServer as Address
from tests.mail_server import INSIDE, MailServer

FROM = "trunkline@sender.example"
TO = "ops@example.com"
BODY = (
    b'{"type":"destination.disabled","timestamp":"2026-11-22T20:41:07.113862Z","data":{"destination":{"id":"dst_1",'
    b'"name":"Acme\\r\\nBcc: evil@example.com","admin_url":"https://t.example/admin/x/"},"reason":"gone","since":null}}'
)
MESSAGE = Message("evt_1", BODY)
PROMPT = 5.0  # seconds a busy machine may be late


def target(*to: str, timeout: float = 10.0, **config: Any) -> Target:
    return Target("dst_9", {"to": list(to or (TO,)), "subject_prefix": "", **config}, timeout=timeout)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[MailServer]:
    with MailServer(getattr(request, "param", "ok")) as server:
        yield server


def address(server: MailServer, **more: Any) -> Address:
    return Address(server.host, server.port, "off", **more)


async def sent(server: Address | None, to: Target | None = None) -> Outcome:
    async with EmailSender(server, FROM) as sender:
        return await sender.send(to or target(), MESSAGE)


def behaving(*behaviours: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("server", behaviours, indirect=True)


async def test_a_letter(server: MailServer) -> None:
    outcome = await sent(address(server), target(TO, "second@example.com", subject_prefix="[billing]"))
    assert (outcome.status_code, outcome.error, outcome.detail) == (250, "", "")
    [letter] = server.wait_for(1)
    assert (letter.sender, letter.to) == (FROM, (TO, "second@example.com"))
    headers = letter.parsed
    assert headers["subject"] == "[billing] Destination is disabled: Acme  Bcc: evil@example.com"
    assert headers["message-id"] == "<evt_1.dst_9@sender.example>"
    assert headers["auto-submitted"] == "auto-generated"
    assert headers["bcc"] is None
    assert headers.get_content_type() == "text/plain"
    assert "reason: gone" in letter.text
    assert "https://t.example/admin/x/" in letter.text
    assert "event: evt_1" in letter.text


async def test_an_address_that_is_read_as_others_gets_nothing(server: MailServer) -> None:
    """As it was stored before there was the rule: an encoded word (RFC 2047) with three addresses in it."""
    stored = target(TO, "=?utf-8?q?v=40a.com=2Cw=40b.com=2Cu=40c.com=2C?=.x@allowed.com")
    assert (await sent(address(server), stored)).error == "address_invalid"
    async with EmailSender(address(server), FROM, ("example.com", "allowed.com")) as sender:
        assert (await sender.send(stored, MESSAGE)).error == "domain_refused"
    assert server.letters == []


async def test_a_repeat_is_the_same_letter(server: MailServer) -> None:
    for _ in range(2):
        await sent(address(server))
    first, second = server.wait_for(2)
    assert first.raw == second.raw


@behaving("login")
async def test_with_a_login(server: MailServer) -> None:
    assert (await sent(address(server, user="me", password="right"))).status_code == 250
    assert server.letters[0].login == ("me", "right")
    refused = await sent(address(server, user="me", password="wrong"))
    assert (refused.status_code, refused.error, refused.detail) == (
        None,
        "smtp_refused",
        "the mail server refused us: 535 5.7.8",
    )


@pytest.mark.parametrize(
    ("server", "error", "detail", "inner"),
    [
        ("defer", "smtp_deferred", f"the mail server refused {TO}: 451 4.7.1", "says come back later"),
        ("refuse", "smtp_refused", f"the mail server refused {TO}: 550 5.1.1", "has 5.1.1 no such mailbox"),
        ("refuse-sender", "smtp_refused", "the mail server refused the sender: 553 5.1.8", f"does not send for {FROM}"),
        ("reject-data", "smtp_refused", "the mail server refused the letter: 554 5.7.1", "calls it spam"),
        ("refuse-hello", "smtp_refused", "the mail server refused us: 550 5.7.1", "does not know you"),
        ("full", "smtp_deferred", "the mail server refused us: 421", "too busy"),
    ],
    indirect=["server"],
)
async def test_a_refusal_is_told_by_its_codes_and_its_words_to_operators(
    server: MailServer, error: str, detail: str, inner: str
) -> None:
    outcome = await sent(address(server))
    assert (outcome.status_code, outcome.error, outcome.detail) == (None, error, detail)
    assert f"{INSIDE} {inner}" in outcome.inner
    assert server.letters == []


@behaving("refuse-tls")
async def test_starttls_that_is_refused(server: MailServer) -> None:
    outcome = await sent(Address(server.host, server.port, "starttls"))
    assert (outcome.error, outcome.detail) == ("smtp_deferred", "the mail server refused us: 454 4.7.0")
    assert f"{INSIDE} has no certificate" in outcome.inner


@behaving("echo-login")
async def test_the_password_is_not_among_the_words(server: MailServer) -> None:
    outcome = await sent(address(server, user="me", password="hunter2"))
    assert f"{INSIDE} does not take PLAIN ********" in outcome.inner
    assert "hunter2" not in outcome.inner


PASSWORDS = ["two  spaces", "a\ttab", "un\x07printable", "x" * LONGEST]  # the last is cut in the middle


@pytest.mark.parametrize("password", PASSWORDS, ids=["spaces", "tab", "unprintable", "at-the-cut"])
@pytest.mark.parametrize("code", [535, 999], ids=["code", "no-code"])
async def test_the_password_is_masked_before_anything_is_left_out(
    password: str, code: int, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Handing, made: object, to: object) -> None:
        raise smtplib.SMTPAuthenticationError(code, f"5.7.8 {INSIDE} does not take {password}".encode())

    monkeypatch.setattr(Handing, "hand_in", refuse)
    outcome = await sent(address(server, user="me", password=password))
    assert outcome.inner.endswith(f"{INSIDE} does not take ********")
    assert outcome.inner.isprintable()


@behaving("echo-login")
async def test_a_password_with_spaces_is_not_among_the_words(server: MailServer) -> None:
    outcome = await sent(address(server, user="me", password="two  spaces"))
    assert f"{INSIDE} does not take PLAIN ********" in outcome.inner
    assert "spaces" not in outcome.inner


@pytest.mark.parametrize(
    ("server", "error", "detail"),
    [
        ("drop", "connect_failed", "the mail server hung up"),
        ("drop-data", "connect_failed", "the mail server hung up"),
        ("garbage", "protocol_error", "no answer of a mail server: SMTPConnectError"),
    ],
    indirect=["server"],
)
async def test_what_goes_wrong_is_told(server: MailServer, error: str, detail: str) -> None:
    outcome = await sent(address(server))
    assert (outcome.status_code, outcome.error, outcome.detail) == (None, error, detail)
    assert outcome.inner
    assert server.letters == []


@behaving("refuse-some")
async def test_refused_for_some_is_delivered(server: MailServer) -> None:
    outcome = await sent(address(server), target(TO, "a@refused.example"))
    assert (outcome.status_code, outcome.detail) == (250, "not for a@refused.example: 550 5.1.1")
    assert f"{INSIDE} has 5.1.1 no such mailbox" in outcome.inner


@behaving("defer-some")
async def test_deferred_for_some_is_tried_again(server: MailServer) -> None:
    outcome = await sent(address(server), target(TO, "a@deferred.example"))
    assert (outcome.status_code, outcome.error) == (None, "smtp_deferred")
    assert outcome.detail == "the mail server refused a@deferred.example: 451 4.7.1"


@behaving("stall", "stall-data", "endless")
async def test_the_deadline_holds_and_the_connection_goes(server: MailServer) -> None:
    began = time.monotonic()
    outcome = await sent(address(server), target(timeout=0.5))
    assert outcome.error == "timeout", outcome
    assert time.monotonic() - began < 0.5 + PROMPT
    await asyncio.to_thread(server.wait_until, lambda: server.open == 0)


@behaving("stall")
async def test_being_cancelled_ends_the_connection(server: MailServer) -> None:
    async with EmailSender(address(server), FROM) as sender:
        task = asyncio.create_task(sender.send(target(timeout=60), MESSAGE))
        await asyncio.to_thread(server.wait_until, lambda: server.open == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(server.wait_until, lambda: server.open == 0)


async def test_nobody_listens() -> None:
    outcome = await sent(Address("127.0.0.1", 9, "off"))
    assert (outcome.error, outcome.detail) == (
        "connect_failed",
        "the mail server can't be reached: Connection refused",
    )


async def test_starttls_is_not_optional(server: MailServer) -> None:
    """Or anybody on the way could take it out, and read password and letter."""
    outcome = await sent(Address(server.host, server.port, "starttls", "me", "secret"))
    assert outcome.error == "protocol_error"
    assert server.letters == []


async def test_tls_with_one_who_does_not_speak_it(server: MailServer) -> None:
    outcome = await sent(Address(server.host, server.port, "implicit"))
    assert outcome.error == "tls_failed", outcome


async def test_no_server_is_configured_any_more() -> None:
    assert (await sent(None)).error == "not_configured"


async def test_a_body_that_is_none(server: MailServer) -> None:
    async with EmailSender(address(server), FROM) as sender:
        outcome = await sender.send(target(), Message("evt_1", b"\xff{"))
    assert (outcome.status_code, outcome.error) == (None, "request_failed")
