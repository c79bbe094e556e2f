"""Letters over TLS: the mail server's certificate must be for its name, from somebody this machine trusts."""

import ssl
from pathlib import Path

import pytest
import trustme

from apps.destinations.kinds import Message, Outcome, Target
from apps.destinations.kinds.email import EmailSender
from apps.destinations.kinds.email.server import MailServer as Address
from tests.mail_server import MailServer

BODY = b'{"type":"delivery.dead","timestamp":"2026-11-22T20:41:07.113862Z","data":{}}'
TARGET = Target("dst_1", {"to": ["ops@example.com"]}, timeout=10.0)

pytestmark = pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(autouse=True)
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority.cert_pem.write_to_path(tmp_path / "trusted.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)


async def sent(certificate: trustme.LeafCert, *, implicit: bool) -> tuple[Outcome, MailServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with MailServer("login", tls=context, implicit=implicit) as server:
        address = Address(server.host, server.port, "implicit" if implicit else "starttls", "me", "right")
        async with EmailSender(address, "trunkline@example.com") as sender:
            return await sender.send(TARGET, Message("evt_1", BODY)), server


async def test_a_good_certificate(authority: trustme.CA, implicit: bool) -> None:
    outcome, server = await sent(authority.issue_cert("127.0.0.1"), implicit=implicit)
    assert (outcome.status_code, outcome.error) == (250, ""), outcome
    assert server.letters[0].login == ("me", "right")


async def test_one_for_another_name(authority: trustme.CA, implicit: bool) -> None:
    outcome, server = await sent(authority.issue_cert("other.example"), implicit=implicit)
    assert (outcome.status_code, outcome.error) == (None, "tls_failed"), outcome
    assert server.letters == []


async def test_one_of_an_unknown_issuer(implicit: bool) -> None:
    outcome, server = await sent(trustme.CA().issue_cert("127.0.0.1"), implicit=implicit)
    assert (outcome.status_code, outcome.error) == (None, "tls_failed"), outcome
    assert server.letters == []
