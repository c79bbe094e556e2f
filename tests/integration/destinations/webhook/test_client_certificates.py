"""mTLS: the receiver sees the destination's certificate, and no connection serves two of them."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from apps.destinations.kinds.webhook import WebhookSender, certificates
from apps.destinations.kinds.webhook.client_tls import ClientTLS, load_client
from tests.integration.destinations.webhook.conftest import MESSAGE, target
from tests.receiver import Receiver


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def clients() -> trustme.CA:
    """Who vouches for clients."""
    return trustme.CA()


@pytest.fixture(autouse=True)
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority.cert_pem.write_to_path(tmp_path / "trusted.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)


def asking(server: trustme.LeafCert, clients: trustme.CA, newest: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = newest
    context.verify_mode = ssl.CERT_REQUIRED
    server.configure_cert(context)
    clients.configure_trust(context)
    return context


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def receiver(request: Any, authority: trustme.CA, clients: trustme.CA) -> Iterator[Receiver]:
    with Receiver(tls=asking(authority.issue_cert("hook.example"), clients, request.param)) as running:
        yield running


def own(leaf: trustme.LeafCert, **more: str) -> dict[str, str]:
    chain = "".join(pem.bytes().decode() for pem in leaf.cert_chain_pems)
    return {"certificate": chain, "private_key": leaf.private_key_pem.bytes().decode(), **more}


async def test_a_certificate_the_receiver_knows(sender: WebhookSender, receiver: Receiver, clients: trustme.CA) -> None:
    tls = own(clients.issue_cert("trunkline@client.example"))
    for _ in range(3):
        outcome = await sender.send(target(receiver.url(host="hook.example"), tls=tls), MESSAGE)
        assert (outcome.status_code, outcome.detail) == (200, "")
    assert receiver.accepted == 1


class Strict(threading.Thread):
    """Refuses clients with the alert that OpenSSL sends, which asyncio's servers keep to themselves."""

    def __init__(self, context: ssl.SSLContext, connections: int) -> None:
        super().__init__(daemon=True)
        self._context, self._connections = context, connections
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.let_in = 0

    def run(self) -> None:
        for _ in range(self._connections):
            plain, _ = self._socket.accept()
            with self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as plug:
                with suppress(ssl.SSLError):
                    plug.do_handshake()
                    self.let_in += 1
                with suppress(OSError):  # closing with a request unread would overtake the alert
                    socket.socket.shutdown(plug, socket.SHUT_WR)
                    while socket.socket.recv(plug, 4096):
                        pass
        self._socket.close()


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_no_certificate_or_a_stranger_s(
    sender: WebhookSender, authority: trustme.CA, clients: trustme.CA, newest: ssl.TLSVersion
) -> None:
    strict = Strict(asking(authority.issue_cert("hook.example"), clients, newest), 2)
    strict.start()
    for tls in (None, own(trustme.CA().issue_cert("x@client.example"))):
        outcome = await sender.send(target(f"https://hook.example:{strict.port}/", tls=tls), MESSAGE)
        assert (outcome.status_code, outcome.error) == (None, "tls_failed")
        assert "the receiver refused TLS" in outcome.detail
    await asyncio.to_thread(strict.join, 20)
    assert strict.let_in == 0


async def test_no_connection_serves_two_certificates(
    sender: WebhookSender, receiver: Receiver, clients: trustme.CA
) -> None:
    url = receiver.url(host="hook.example")
    one, other = (own(clients.issue_cert(f"{name}@client.example")) for name in ("one", "other"))
    for tls in (one, other, one, other, dict(one)):
        assert (await sender.send(target(url, tls=tls), MESSAGE)).status_code == 200
    assert receiver.accepted == 2
    assert (await sender.send(target(url), MESSAGE)).status_code is None  # over none of those that are open


async def test_an_authority_of_its_own_counts_instead_of_the_system_s(
    sender: WebhookSender, clients: trustme.CA, authority: trustme.CA
) -> None:
    private = trustme.CA()
    mine = own(clients.issue_cert("trunkline@client.example"), ca=private.cert_pem.bytes().decode())
    for issuer, error in ((private, ""), (authority, "tls_failed")):
        context = asking(issuer.issue_cert("hook.example"), clients, ssl.TLSVersion.TLSv1_3)
        with Receiver(tls=context) as running:
            outcome = await sender.send(target(running.url(host="hook.example"), tls=mine), MESSAGE)
            assert outcome.error == error


async def test_contexts_are_few(sender: WebhookSender, clients: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "MOST_CONTEXTS", 3)
    contexts = certificates.Contexts()
    mine = [ClientTLS(**own(clients.issue_cert(f"{number}@client.example"))) for number in range(4)]
    made = [await contexts.get(tls) for tls in mine]
    assert len(set(map(id, made))) == 4
    assert await contexts.get(mine[3]) is made[3]
    assert await contexts.get(mine[0]) is not made[0]
    again = await asyncio.gather(*(contexts.get(mine[1]) for _ in range(5)))
    assert len(set(map(id, again))) == 1
    contexts.close()


def test_the_key_leaves_no_file(clients: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    load_client(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ClientTLS(**own(clients.issue_cert("x@client.example"))))
    monkeypatch.delattr("os.memfd_create", raising=False)
    load_client(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ClientTLS(**own(clients.issue_cert("x@client.example"))))
    assert list(tmp_path.iterdir()) == [tmp_path / "trusted.pem"]
