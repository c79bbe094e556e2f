"""Forward proxies: what they are told, that they can't lead past the policy, and what is said when they fail."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from apps.destinations.egress import EgressPolicy
from apps.destinations.egress.proxy import parse_proxy
from apps.destinations.kinds import Outcome
from apps.destinations.kinds.webhook import WebhookSender
from apps.destinations.kinds.webhook.proxy import OperatorsProxy
from tests.integration.destinations.webhook.conftest import LOOPBACK, MESSAGE, Names, target
from tests.integration.destinations.webhook.serving import endpoint, forward_proxy, http, listening
from tests.receiver import Receiver

PASSWORD = "s3cret"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver under TLS."""
    authority.cert_pem.write_to_path(tmp_path / "trusted.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("hook.example").configure_cert(context)
    with Receiver(tls=context) as running:
        yield running


async def sent(sender: WebhookSender, receiver: Receiver, proxy: str, within: float = 10.0) -> Outcome:
    to = target(receiver.url("/hook?a=b", host="hook.example"), proxy=proxy, timeout=within)
    return await sender.send(to, MESSAGE)


async def test_https_goes_through_a_tunnel_to_the_vetted_address(sender: WebhookSender, secure: Receiver) -> None:
    async with forward_proxy(PASSWORD) as proxy:
        for _ in range(3):
            outcome = await sent(sender, secure, proxy.url(credentials=f"me:{PASSWORD}"))
            assert (outcome.status_code, outcome.error, outcome.detail) == (200, "", "")
    [asked] = proxy.requests
    assert asked.line == f"CONNECT 127.0.0.1:{secure.port} HTTP/1.1"
    assert set(asked.headers) == {"host", "proxy-authorization"}
    request = secure.requests[0]
    assert (request.path, request.headers["host"]) == ("/hook?a=b", f"hook.example:{secure.port}")
    assert "proxy-authorization" not in request.headers
    assert (secure.accepted, request.body) == (1, MESSAGE.body)


async def test_http_goes_in_absolute_form_to_the_vetted_address(sender: WebhookSender, receiver: Receiver) -> None:
    async with forward_proxy(PASSWORD) as proxy:
        for _ in range(2):
            assert (await sent(sender, receiver, proxy.url(credentials=f"me:{PASSWORD}"))).status_code == 200
    first = proxy.requests[0]
    assert first.line == f"POST http://127.0.0.1:{receiver.port}/hook?a=b HTTP/1.1"
    assert first.headers["host"] == f"hook.example:{receiver.port}"
    assert receiver.requests[0].body == MESSAGE.body
    assert "proxy-authorization" not in receiver.requests[0].headers


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("answers", [["10.0.0.1"], ["127.0.0.1", "169.254.169.254"]])
async def test_a_proxy_leads_nowhere_the_policy_doesn_t(
    sender: WebhookSender, names: Names, scheme: str, answers: list[str]
) -> None:
    names.answers["inside.example"] = answers
    async with forward_proxy() as proxy:
        for host in ("inside.example", "10.0.0.1", "[::ffff:169.254.169.254]"):
            outcome = await sender.send(target(f"{scheme}://{host}/", proxy=proxy.url()), MESSAGE)
            assert outcome.error == "address_refused"
        assert proxy.requests == []


async def test_a_destination_s_own_proxy_is_vetted_too(names: Names, receiver: Receiver) -> None:
    names.answers["proxy.example"] = ["127.0.0.1"]
    names.answers["hook.example"] = ["8.8.8.8"]
    async with WebhookSender(EgressPolicy(), lookup=names) as sender, forward_proxy() as proxy:
        for host in ("127.0.0.1", "proxy.example"):
            outcome = await sent(sender, receiver, proxy.url(host))
            assert outcome.error == "proxy_failed"
            assert "loopback address" in outcome.detail
        assert proxy.requests == []


@asynccontextmanager
async def behind(url: str, *without: str, names: Names) -> AsyncIterator[WebhookSender]:
    """A sender in an installation with a proxy; nothing private is allowed."""
    operators = OperatorsProxy(parse_proxy(url), without)
    async with WebhookSender(EgressPolicy(), lookup=names, proxy=operators) as sender:
        yield sender


@pytest.mark.parametrize("host", ["127.0.0.1", "proxy.internal"])
async def test_the_operator_s_proxy_may_stand_inside(names: Names, host: str) -> None:
    names.answers |= {"proxy.internal": ["127.0.0.1"], "hook.example": ["203.0.114.7"]}
    async with endpoint(http(200)) as proxy, behind(f"http://{host}:{proxy.port}", names=names) as sender:
        assert (await sender.send(target("http://hook.example/x"), MESSAGE)).status_code == 200
        assert (await sender.send(target("http://127.0.0.1/x"), MESSAGE)).error == "address_refused"
        [request] = proxy.requests
        assert request.line == "POST http://203.0.114.7:80/x HTTP/1.1"


async def test_some_hosts_are_reached_without_the_operator_s_proxy(names: Names, receiver: Receiver) -> None:
    operators = OperatorsProxy(parse_proxy("http://127.0.0.1:1"), ("example", "10.0.0.0/8"))
    async with WebhookSender(LOOPBACK, lookup=names, proxy=operators) as sender:
        assert (await sender.send(target(receiver.url(host="hook.example")), MESSAGE)).status_code == 200
        assert (await sender.send(target(receiver.url()), MESSAGE)).error == "proxy_failed"


async def test_tokens_are_asked_for_through_the_proxy(sender: WebhookSender, receiver: Receiver) -> None:
    async with forward_proxy() as proxy, endpoint(http(200, b'{"access_token": "t1"}')) as tokens:
        auth = {"type": "oauth2", "token_url": tokens.url, "client_id": "me", "client_secret": "x"}
        assert (await sender.send(target(receiver.url(), auth=auth, proxy=proxy.url()), MESSAGE)).status_code == 200
    assert [request.line.split("/")[2] for request in proxy.requests] == [
        f"127.0.0.1:{tokens.port}",
        f"127.0.0.1:{receiver.port}",
    ]
    assert receiver.requests[0].headers["authorization"] == "Bearer t1"


async def test_a_receiver_s_certificate_is_checked_through_a_proxy(
    sender: WebhookSender, secure: Receiver, names: Names
) -> None:
    names.answers["other.example"] = ["127.0.0.1"]
    async with forward_proxy() as proxy:
        outcome = await sender.send(target(secure.url(host="other.example"), proxy=proxy.url()), MESSAGE)
    assert (outcome.error, outcome.detail) == ("tls_failed", "the certificate is for another name")


async def test_connections_with_and_without_a_proxy_are_kept_apart(sender: WebhookSender, secure: Receiver) -> None:
    async with forward_proxy() as proxy, forward_proxy() as other:
        for through in (proxy.url(), other.url(), "", proxy.url()):
            assert (await sent(sender, secure, through)).status_code == 200
        assert (len(proxy.requests), len(other.requests), secure.accepted) == (1, 1, 3)


async def test_wrong_credentials(sender: WebhookSender, secure: Receiver, receiver: Receiver) -> None:
    async with forward_proxy(PASSWORD) as proxy:
        for hook in (secure, receiver):
            outcome = await sent(sender, hook, proxy.url(credentials="me:wr0ng"))
            assert (outcome.error, outcome.status_code) == ("proxy_failed", None)
            assert "asks for other credentials (status 407)" in outcome.detail
            assert "wr0ng" not in outcome.detail
            assert hook.requests == []


async def test_a_receiver_the_proxy_can_t_reach(sender: WebhookSender, names: Names) -> None:
    names.answers["nobody.example"] = ["127.0.0.2", "127.0.0.3"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        async with forward_proxy() as proxy:
            outcome = await sender.send(target(f"https://nobody.example:{port}/", proxy=proxy.url()), MESSAGE)
    assert outcome.error == "proxy_failed"
    assert "status 502" in outcome.detail
    assert len(proxy.requests) == 2


HOSTILE = [
    (b"220 mail.example ESMTP\r\n\r\n", "not HTTP"),
    (b"\x16\x03\x01\x02\x00" * 20, "not HTTP"),
    (b"HTTP/1.1 200 OK\r\n" + b"x-filler: x\r\n" * 5_000, "too large"),
    (b"", "closed the connection"),
    (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "more than an answer"),
    (http(403, b"no"), "status 403"),
    (http(302, b"", "location: http://127.0.0.1/"), "status 302"),
]


@pytest.mark.parametrize(("answer", "why"), HOSTILE)
async def test_a_hostile_proxy(sender: WebhookSender, secure: Receiver, answer: bytes, why: str) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    async with listening(handle) as port:
        outcome = await sent(sender, secure, f"http://me:{PASSWORD}@127.0.0.1:{port}")
    assert (outcome.error, outcome.status_code) == ("proxy_failed", None)
    assert why in outcome.detail
    assert PASSWORD not in outcome.detail
    assert secure.requests == []


@pytest.mark.parametrize("answer", [b"220 mail.example ESMTP\r\n\r\n", b""])
async def test_a_hostile_proxy_for_http(sender: WebhookSender, receiver: Receiver, answer: bytes) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    async with listening(handle) as port:
        assert (await sent(sender, receiver, f"http://127.0.0.1:{port}")).error == "proxy_failed"


@pytest.mark.parametrize("piece", [b"", b"x"])
async def test_a_proxy_that_never_answers(sender: WebhookSender, secure: Receiver, piece: bytes) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nx: ")
        while not reader.at_eof():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)

    async with listening(handle) as port:
        outcome = await sent(sender, secure, f"http://127.0.0.1:{port}", within=0.3)
    assert outcome.error == "timeout"
    assert f"through proxy 127.0.0.1:{port}: no connection in time" in outcome.detail


async def test_a_proxy_that_tunnels_to_something_without_tls(sender: WebhookSender, secure: Receiver) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await reader.read(100)
        writer.write(b"220 mail.example ESMTP\r\n" * 10)
        await writer.drain()

    async with listening(handle) as port:
        assert (await sent(sender, secure, f"http://127.0.0.1:{port}")).error == "tls_failed"


async def test_nobody_there(sender: WebhookSender, secure: Receiver, receiver: Receiver, names: Names) -> None:
    for hook in (secure, receiver):
        outcome = await sent(sender, hook, f"http://me:{PASSWORD}@127.0.0.1:1")
        assert (outcome.error, outcome.detail) == ("proxy_failed", "proxy 127.0.0.1:1: connection refused")
    names.answers["proxy.example"] = []
    outcome = await sent(sender, secure, "http://proxy.example:3128")
    assert (outcome.error, outcome.detail) == ("proxy_failed", "proxy proxy.example:3128: proxy.example: no address")


async def test_another_address_of_the_proxy_is_tried(sender: WebhookSender, secure: Receiver, names: Names) -> None:
    async with forward_proxy() as proxy:
        names.answers["proxy.example"] = ["127.0.0.2", "127.0.0.1"]
        assert (await sent(sender, secure, proxy.url("proxy.example"))).status_code == 200


async def test_a_destination_s_own_proxy_leads_not_around_the_operator_s(names: Names) -> None:
    names.answers |= {"proxy.internal": ["127.0.0.1"], "hook.example": ["203.0.114.7"], "own.example": ["127.0.0.1"]}
    async with (
        endpoint(http(200)) as proxy,
        endpoint(http(500)) as own,
        behind(f"http://proxy.internal:{proxy.port}", names=names) as sender,
    ):
        outcome = await sender.send(target("http://hook.example/x", proxy=f"http://own.example:{own.port}"), MESSAGE)
    assert outcome.status_code == 200
