"""Certificates: which are accepted, and what is said of those that aren't."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from apps.destinations.kinds.webhook import WebhookSender
from tests.integration.destinations.webhook.conftest import MESSAGE, target
from tests.receiver import Receiver

NOW = datetime.now(UTC)
DAY = timedelta(days=1)

type Configure = Callable[[ssl.SSLContext], None]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(autouse=True)
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine trusts `authority` and nobody else, in the way an operator would say so."""
    authority.cert_pem.write_to_path(tmp_path / "trusted.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)


def serving(configure: Configure) -> Receiver:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    configure(context)
    return Receiver(tls=context)


@pytest.mark.parametrize("host", ["hook.example", "127.0.0.1"])
async def test_a_good_certificate_is_accepted(sender: WebhookSender, authority: trustme.CA, host: str) -> None:
    with serving(authority.issue_cert(host).configure_cert) as receiver:
        for _ in range(2):
            outcome = await sender.send(target(receiver.url(host=host)), MESSAGE)
            assert (outcome.status_code, outcome.error, outcome.detail) == (200, "", "")
        assert receiver.accepted == 1


async def test_an_expired_certificate(sender: WebhookSender, authority: trustme.CA) -> None:
    leaf = authority.issue_cert("hook.example", not_before=NOW - 9 * DAY, not_after=NOW - DAY)
    await _is_refused(sender, leaf.configure_cert, "the certificate has expired")


async def test_a_certificate_of_the_future(sender: WebhookSender, authority: trustme.CA) -> None:
    leaf = authority.issue_cert("hook.example", not_before=NOW + DAY)
    await _is_refused(sender, leaf.configure_cert, "the certificate is not valid yet")


async def test_a_certificate_for_another_host(sender: WebhookSender, authority: trustme.CA) -> None:
    leaf = authority.issue_cert("other.example", "127.0.0.1")
    await _is_refused(sender, leaf.configure_cert, "the certificate is for another name")


async def test_a_certificate_of_an_unknown_issuer(sender: WebhookSender) -> None:
    leaf = trustme.CA().issue_cert("hook.example")
    await _is_refused(sender, leaf.configure_cert, "the certificate is self-signed or its issuer is unknown")


async def test_a_certificate_that_signs_itself(sender: WebhookSender, tmp_path: Path) -> None:
    itself = trustme.CA()
    itself.cert_pem.write_to_path(tmp_path / "self.pem")
    itself.private_key_pem.write_to_path(tmp_path / "self.key")
    await _is_refused(
        sender,
        lambda context: context.load_cert_chain(tmp_path / "self.pem", tmp_path / "self.key"),
        "the certificate is self-signed",
    )


async def test_a_machine_that_trusts_nobody_says_so(
    sender: WebhookSender, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.pem").write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "empty.pem"))
    await _is_refused(sender, authority.issue_cert("hook.example").configure_cert, "no CA certificates")


async def test_plain_http_to_a_tls_port(sender: WebhookSender, authority: trustme.CA) -> None:
    with serving(authority.issue_cert("hook.example").configure_cert) as receiver:
        url = receiver.url(host="hook.example").replace("https", "http")
        assert (await sender.send(target(url), MESSAGE)).error == "connect_failed"


async def _is_refused(sender: WebhookSender, configure: Configure, why: str) -> None:
    with serving(configure) as receiver:
        outcome = await sender.send(target(receiver.url(host="hook.example")), MESSAGE)
        assert (outcome.status_code, outcome.error) == (None, "tls_failed")
        assert why in outcome.detail
        assert receiver.requests == []
