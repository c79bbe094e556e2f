"""What is made while sending shows no secret in its repr: tracebacks, logs and debuggers print those.

Every function of the kinds is watched while each kind sends, and every value it held is asked. A new struct or
dataclass is in here by being made; one that never is has to be named below.
"""

import dataclasses
import ssl
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import FrameType
from typing import Any

import msgspec
import pytest
import trustme

from apps.destinations import kinds
from apps.destinations.egress.proxy import parse_proxy
from apps.destinations.kinds import Message, Outcome, Sender, SigningKey, Target
from apps.destinations.kinds.base import Attributes, Event, FormField
from apps.destinations.kinds.chat import ChatSender
from apps.destinations.kinds.email import EmailSender
from apps.destinations.kinds.email.server import MailServer as Address
from apps.destinations.kinds.webhook import WebhookSender
from apps.destinations.kinds.webhook.proxy import OperatorsProxy
from tests.integration.destinations.webhook.conftest import LOOPBACK
from tests.integration.destinations.webhook.serving import Endpoint, endpoint, forward_proxy, http
from tests.mail_server import MailServer
from tests.receiver import Receiver

PLANTED = "pl4nted-s3cret"
SPELLINGS = (PLANTED, b64encode(f"me:{PLANTED}".encode()).decode())
HALF_MADE = {"__init__", "__repr__"}  # where a value may not be whole yet
NOT_MADE = {FormField, Attributes, Event}  # of the admin's form; of formats, which the engine makes
BODY = b'{"type":"invoice.paid","timestamp":"2026-11-22T20:41:07.113862Z","data":{"id":"in_42"}}'
MESSAGE = Message("evt_1", BODY)
SIGNING = (SigningKey("v1", PLANTED.encode() * 3),)


def is_record(kind: type) -> bool:
    return dataclasses.is_dataclass(kind) or issubclass(kind, msgspec.Struct) or hasattr(kind, "_fields")


def records() -> set[type]:
    """Every struct, dataclass and named tuple of the kinds."""
    modules = [import_module(found.name) for found in walk_packages(kinds.__path__, f"{kinds.__name__}.")]
    found = {one for module in modules for one in vars(module).values() if isinstance(one, type)}
    return {one for one in found if one.__module__.startswith(kinds.__name__) and is_record(one)}


class Watch:
    """Asks whatever a function of the kinds holds as it returns, in each thread."""

    def __init__(self) -> None:
        self.seen: set[type] = set()
        self.told: set[str] = set()

    def __call__(self, frame: FrameType, event: str, value: Any) -> None:
        is_ours = frame.f_globals.get("__name__", "").startswith(kinds.__name__)
        if event == "return" and is_ours and frame.f_code.co_name not in HALF_MADE:
            for one in (value, *frame.f_locals.values()):
                self.ask(one)

    def ask(self, value: Any) -> None:
        if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
            for one in value:
                self.ask(one)
        elif type(value) in RECORDS:
            self.seen.add(type(value))
            if any(one in repr(value) for one in SPELLINGS):
                self.told.add(type(value).__name__)


RECORDS = records()


@contextmanager
def watching() -> Iterator[Watch]:
    watch = Watch()
    threading.setprofile(watch)
    sys.setprofile(watch)
    try:
        yield watch
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


async def sent(sender: Sender, **config: Any) -> Outcome:
    return await sender.send(Target("dst_1", config, SIGNING), MESSAGE)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "trusted.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    return made


async def test_no_repr_tells_a_secret(authority: trustme.CA) -> None:
    with watching() as watch:
        await webhooks()
        await over_tls(authority)
        await through_proxies()
        await chats()
        await letters()
    assert watch.told == set()
    assert watch.seen == RECORDS - NOT_MADE


async def webhooks() -> None:
    token = msgspec.json.encode({"access_token": PLANTED, "token_type": "bearer", "expires_in": 300})
    oauth = {"type": "oauth2", "client_id": "me", "client_secret": PLANTED}
    with Receiver() as receiver:
        async with endpoint(http(200, token)) as tokens, WebhookSender(LOOPBACK) as sender:
            for style in ("basic", "post"):
                auth = {**oauth, "style": style, "token_url": f"{tokens.url}?key={PLANTED}"}
                assert (await sent(sender, url=receiver.url("/hook"), auth=auth)).status_code == 200
            for auth in (
                {"type": "basic", "username": "me", "password": PLANTED},
                {"type": "bearer", "token": PLANTED},
            ):
                assert (await sent(sender, url=receiver.url(f"/hook?token={PLANTED}"), auth=auth)).status_code == 200
            headers = {"x-api-key": PLANTED}
            assert (await sent(sender, url=receiver.url("/hook"), headers=headers)).status_code == 200
            async with endpoint(http(200, PLANTED.encode())) as parrot:
                outcome = await sent(sender, url=f"http://127.0.0.1:{parrot.port}/")
            assert PLANTED.encode() in outcome.body
        assert shown(tokens) >= {"basic", "form"}
        assert sum(PLANTED in str(request.headers) for request in receiver.requests) >= 4


def shown(tokens: Endpoint) -> set[str]:
    """How the client named itself."""
    return {"basic" if "authorization" in request.headers else "form" for request in tokens.requests}


async def over_tls(authority: trustme.CA) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    client = authority.issue_cert("client@example.com")
    key = client.private_key_pem.bytes().decode()
    tls = {"certificate": client.cert_chain_pems[0].bytes().decode(), "private_key": f"{key}\n{PLANTED}\n"}
    with Receiver(tls=context) as receiver:
        async with WebhookSender(LOOPBACK) as sender:
            assert (await sent(sender, url=receiver.url("/hook"), tls=tls)).status_code == 200


async def through_proxies() -> None:
    with Receiver() as receiver:
        async with forward_proxy(PLANTED) as proxy:
            url = proxy.url(credentials=f"me:{PLANTED}")
            async with WebhookSender(LOOPBACK) as sender:
                assert (await sent(sender, url=receiver.url("/hook"), proxy=url)).status_code == 200
            async with WebhookSender(LOOPBACK, proxy=OperatorsProxy(parse_proxy(url))) as sender:
                assert (await sent(sender, url=receiver.url("/hook"))).status_code == 200


async def chats() -> None:
    with Receiver() as receiver:
        async with ChatSender(LOOPBACK) as sender:
            assert (await sent(sender, url=receiver.url(f"/services/{PLANTED}"))).status_code == 200


async def letters() -> None:
    with MailServer("login") as server:
        address = Address(server.host, server.port, "off", "me", PLANTED)
        async with EmailSender(address, "trunkline@example.com") as sender:
            assert (await sent(sender, to=["ops@example.com"])).status_code == 250
