"""What every kind of destination must keep to, whoever wrote it: found by looking, so a new folder is in here, too.

A kind that needs more than the `EXAMPLES` below adds a line to them; a kind without one fails here.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import models
from pytest_django import Settings

from apps.destinations.admin_forms import settings_shown
from apps.destinations.kinds import Kind, Message, Outcome, SigningKey, Target, all_kinds
from apps.destinations.kinds.email.server import MailServer as Address
from apps.destinations.models import Destination
from apps.kernel.errors import Fault, Invalid
from tests.mail_server import MailServer
from tests.receiver import Receiver

PLANTED = "pl4nted-s3cret"
EXAMPLES: dict[str, dict[str, Any]] = {
    "webhook": {"url": f"http://127.0.0.1:9/hook?token={PLANTED}", "headers": {"Authorization": f"Bearer {PLANTED}"}},
    "chat": {"url": f"http://127.0.0.1:9/services/{PLANTED}", "style": "slack"},
    "email": {"to": ["ops@example.com", "dev@example.com"], "subject_prefix": "[x]"},
}
SHOWN_WHOLE = {("webhook", "url")}  # its query may hold a token, and who may see the destination may see it
NAMES = ("url", "to", "headers", "style", "subject_prefix")
VALUES: tuple[Any, ...] = (None, 7, [], {}, [{}])
STRANGE: list[dict[str, Any]] = [
    {},
    {"no_such_field": 1},
    {"no/such~field": 1},
    *({name: value} for name in ("url", "to", "headers", "style", "subject_prefix") for value in VALUES),
    {"to": ["a@example.com\r\nBcc: b@example.com"]},
    {"to": ["a@example.com", "no address"]},
    {"subject_prefix": "a\r\nBcc: b@example.com"},
    {"url": "http://127.0.0.1/\r\nX: y"},
    {"url": "javascript:alert(1)"},
    {"url": "x" * 5000},
]
BODY = json.dumps(
    {"type": "destination.disabled", "timestamp": "2026-11-22T20:41:07.113862Z", "data": {"destination": {"id": "d"}}}
).encode()
MESSAGE = Message("evt_1", BODY)
HOSTILE = [
    b"",
    b"\xff\xfe",
    b"null",
    b'{"type":"a","timestamp":"yesterday","data":1}',
    b'{"type":"a","timestamp":"2026-11-22T20:41:07Z","data":' + b"[" * 60 + b"]" * 60 + b"}",
    b'{"type":"a","timestamp":"2026-11-22T20:41:07Z","data":{"destination":{"name":"x\\r\\nBcc: y"}}}',
]
STORED: list[dict[str, Any]] = [
    {},
    {"url": 7, "to": 7},
    {"url": "", "to": []},
    {"url": "http://127.0.0.1:9/\r\n", "to": ["a\r\nb"]},
]
SHORT, PROMPT = 0.4, 5.0  # seconds: the deadline, and what a busy machine may be late

pytestmark = pytest.mark.parametrize("kind", all_kinds().values(), ids=lambda kind: kind.name)


@pytest.fixture(autouse=True)
def mail_configured(settings: Settings) -> None:
    settings.MAIL_SERVER, settings.MAIL_FROM = Address("127.0.0.1", 9, "off"), "trunkline@example.com"


def cleaned(kind: Kind) -> dict[str, Any]:
    return kind.clean(EXAMPLES[kind.name])


# What it says of itself


def test_it_describes_itself(kind: Kind) -> None:
    assert kind.name in EXAMPLES, "say above what a config of it looks like"
    longest = Destination._meta.get_field("kind")
    assert isinstance(longest, models.CharField)
    assert 0 < len(kind.name) <= (longest.max_length or 0)
    assert kind.title
    assert isinstance(kind.signs, bool)
    assert isinstance(kind.takes_events, bool)


def test_form_document_and_config_name_the_same_settings(kind: Kind) -> None:
    assert {field.name for field in kind.form} <= set(cleaned(kind)) <= set(kind.fields)
    assert {field.name for field in kind.form} <= set(settings_shown())
    assert all(field.label and field.help for field in kind.form)
    shared = set(kind.fields).intersection(*(other.fields for other in all_kinds().values() if "url" in other.fields))
    assert all(kind.fields[name]["description"].startswith(f"{kind.name}: ") for name in shared)


def test_the_form_s_text_reads_back_as_what_it_shows(kind: Kind) -> None:
    config = cleaned(kind)
    for field in kind.form:
        assert field.read(field.show(config[field.name])) == config[field.name]


# Config


def test_cleaning_what_is_clean_changes_nothing(kind: Kind) -> None:
    once = cleaned(kind)
    assert kind.clean(once) == once
    assert json.loads(json.dumps(once)) == once


def test_cleaning_leaves_what_it_was_given_alone(kind: Kind) -> None:
    given = json.loads(json.dumps(EXAMPLES[kind.name]))
    kind.clean(given)
    assert given == EXAMPLES[kind.name]


@pytest.mark.parametrize("strange", STRANGE, ids=lambda value: str(value)[:40])
def test_what_is_wrong_is_pointed_to_or_taken_whole(kind: Kind, strange: dict[str, Any]) -> None:
    for config in (strange, {**EXAMPLES[kind.name], **strange}):
        taken, faults = judged(kind, config)
        assert (taken is None) == bool(faults)
        assert all(fault.pointer.startswith("/") and fault.detail and fault.code for fault in faults)
        assert taken is None or kind.clean(taken) == taken


def judged(kind: Kind, config: dict[str, Any]) -> tuple[dict[str, Any] | None, tuple[Fault, ...]]:
    """What is stored of it, or what is wrong with it."""
    try:
        return kind.clean(config), ()
    except Invalid as problem:
        return None, tuple(problem.faults)


def test_a_secret_is_never_quoted_by_a_fault(kind: Kind) -> None:
    for name in kind.fields:
        for wrong in (f"\x00{PLANTED}", {PLANTED: PLANTED + "\n"}, [PLANTED], f"ftp://{PLANTED}@\x01/{PLANTED}"):
            with pytest.raises(Invalid) as caught:
                kind.clean({**EXAMPLES[kind.name], name: wrong, "unknown": PLANTED})
            assert PLANTED not in " ".join(fault.detail for fault in caught.value.faults)
            assert PLANTED not in caught.value.detail


def test_a_change_replaces_what_is_given(kind: Kind) -> None:
    config = cleaned(kind)
    assert kind.change(config, {}) == config
    for name, value in config.items():
        assert kind.clean(kind.change(config, {name: value})) == config


def test_what_is_shown_holds_no_secret(kind: Kind) -> None:
    config = cleaned(kind)
    hidden = {name: value for name, value in kind.public(config).items() if (kind.name, name) not in SHOWN_WHOLE}
    assert PLANTED not in json.dumps(hidden)
    assert set(kind.public(config)) == set(config)
    assert PLANTED not in kind.summary(config)
    assert kind.summary(config).isprintable()
    assert 0 < len(kind.summary(config)) <= 255
    assert PLANTED not in repr(kind)


# Sending


@pytest.fixture
def silent() -> Iterator[tuple[Receiver, MailServer]]:
    """Two who take a connection and never say a word."""
    with Receiver() as receiver, MailServer("stall") as server:
        yield receiver, server


def target(kind: Kind, url: str, *, timeout: float = PROMPT) -> Target:
    config = {**EXAMPLES[kind.name], **({"url": url} if "url" in kind.fields else {})}
    secrets = (SigningKey("v1", b"k" * 32),) if kind.signs else ()
    return Target("dst_1", kind.clean(config), secrets, timeout)


def stalled(silent: tuple[Receiver, MailServer]) -> str:
    receiver, server = silent
    django_settings.MAIL_SERVER = Address(server.host, server.port, "off")
    return receiver.url("/hang")


async def sent(kind: Kind, to: Target, message: Message = MESSAGE) -> Outcome:
    async with kind.sender() as sender:
        return await sender.send(to, message)


async def test_the_deadline_is_kept(kind: Kind, silent: tuple[Receiver, MailServer]) -> None:
    url = stalled(silent)
    began = time.monotonic()
    outcome = await sent(kind, target(kind, url, timeout=SHORT))
    assert (outcome.status_code, outcome.error) == (None, "timeout")
    assert SHORT - 0.1 <= time.monotonic() - began < SHORT + PROMPT
    assert outcome.duration_ms >= (SHORT - 0.1) * 1000


async def test_cancelling_ends_it_and_its_connection(kind: Kind, silent: tuple[Receiver, MailServer]) -> None:
    receiver, server = silent
    to = target(kind, stalled(silent), timeout=60)
    async with kind.sender() as sender:
        sending = asyncio.create_task(sender.send(to, MESSAGE))
        here = receiver if "url" in kind.fields else server
        await asyncio.to_thread(here.wait_until, lambda: here.open == 1)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await asyncio.to_thread(here.wait_until, lambda: here.open == 0)


async def test_it_sends_again_after_one_was_cancelled(kind: Kind, silent: tuple[Receiver, MailServer]) -> None:
    receiver, server = silent
    url = stalled(silent)
    async with kind.sender() as sender:
        sending = asyncio.create_task(sender.send(target(kind, url, timeout=60), MESSAGE))
        here = receiver if "url" in kind.fields else server
        await asyncio.to_thread(here.wait_until, lambda: here.open == 1)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        server.behaviour = "ok"
        outcome = await sender.send(target(kind, receiver.url("/hook")), MESSAGE)
    assert outcome.status_code in {200, 250}, outcome


async def test_nobody_there_is_an_outcome(kind: Kind) -> None:
    outcome = await sent(kind, target(kind, "http://127.0.0.1:9/"))
    assert (outcome.status_code, outcome.error) == (None, "connect_failed")
    assert PLANTED not in outcome.detail


@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: body[:30].decode("latin-1"))
async def test_no_body_makes_it_raise(kind: Kind, body: bytes) -> None:
    outcome = await sent(kind, target(kind, "http://127.0.0.1:9/"), Message("evt_1", body))
    assert outcome.status_code is None
    assert outcome.error
    assert "\n" not in outcome.detail


async def test_no_stored_config_makes_it_raise(kind: Kind) -> None:
    for config in (
        {},
        {"url": 7, "to": 7},
        {"url": "", "to": []},
        {"url": "http://127.0.0.1:9/\r\n", "to": ["a\r\nb"]},
    ):
        outcome = await sent(kind, Target("dst_1", config, (), PROMPT))
        assert outcome.status_code is None
        assert outcome.error, config


async def test_many_at_once_each_have_their_own_outcome(kind: Kind) -> None:
    with Receiver() as receiver, MailServer() as server:
        django_settings.MAIL_SERVER = Address(server.host, server.port, "off")
        to = target(kind, receiver.url("/hook"), timeout=30)
        async with kind.sender() as sender:
            outcomes = await asyncio.gather(*(sender.send(to, Message(f"evt_{n}", BODY)) for n in range(20)))
        assert {outcome.status_code for outcome in outcomes} <= {200, 250}
        assert len(receiver.requests) + len(server.letters) == 20
