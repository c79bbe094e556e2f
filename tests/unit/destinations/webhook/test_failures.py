"""Errors of the system and of TLS as codes, with a line for people."""

import errno
import ssl

import pytest

from apps.destinations.kinds.webhook.failures import failure_of

PEER = "192.0.2.1 port 443"


def certificate_error(code: int, message: str = "") -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]")
    error.verify_code, error.verify_message = code, message
    return error


def tls_error(reason: str | None) -> ssl.SSLError:
    error = ssl.SSLError(1, "[SSL]")
    error.reason = reason  # type: ignore[assignment]  # None where OpenSSL gives none
    return error


@pytest.mark.parametrize(
    ("error", "code", "detail"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "connect_failed", f"{PEER}: connection refused"),
        (OSError(errno.EHOSTUNREACH, "x"), "connect_failed", f"{PEER}: host unreachable"),
        (OSError(errno.EMFILE, "x"), "connect_failed", f"{PEER}: too many open files"),
        (TimeoutError(errno.ETIMEDOUT, "x"), "connect_failed", f"{PEER}: connection timed out"),
        (ConnectionResetError(errno.ECONNRESET, "x"), "connect_failed", f"{PEER}: connection reset"),
        (BrokenPipeError(errno.EPIPE, "x"), "connect_failed", f"{PEER}: connection reset"),
        (ConnectionResetError(), "connect_failed", f"{PEER}: connection reset"),
        (ConnectionAbortedError("SSL handshake"), "connect_failed", f"{PEER}: connection closed"),
        (certificate_error(10), "tls_failed", "the certificate has expired"),
        (certificate_error(9), "tls_failed", "the certificate is not valid yet"),
        (certificate_error(23), "tls_failed", "the certificate is revoked"),
        (certificate_error(64), "tls_failed", "the certificate is for another name"),
        (certificate_error(7, "signature failure"), "tls_failed", "the certificate is not valid: signature failure"),
        (tls_error("TLSV1_ALERT_PROTOCOL_VERSION"), "tls_failed", "the receiver refused TLS: protocol version"),
        (tls_error("WRONG_VERSION_NUMBER"), "tls_failed", "no TLS connection: wrong version number"),
        (tls_error(None), "tls_failed", "no TLS connection: unknown"),
    ],
    ids=str,
)
def test_each_error_has_its_code(error: OSError, code: str, detail: str) -> None:
    failure = failure_of(error, PEER)
    assert (failure.code, failure.detail) == (code, detail)


def test_only_what_never_got_a_connection_may_go_to_another_address() -> None:
    assert failure_of(ConnectionRefusedError(errno.ECONNREFUSED, "x"), PEER, unsent=True).unsent
    assert not failure_of(certificate_error(10), PEER, unsent=True).unsent  # another address is the same receiver
    assert not failure_of(ConnectionResetError(), PEER).unsent
