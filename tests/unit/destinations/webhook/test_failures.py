"""The HTTP library's errors as codes: one row for each shape it was seen to take."""

import pytest
from pyreqwest.exceptions import (
    BuilderError,
    ConnectError,
    ConnectTimeoutError,
    DecodeError,
    DetailedPyreqwestError,
    RequestError,
)

from apps.destinations.kinds.webhook.failures import failure_of, failure_to_build

OUTER = "error sending request for url (https://hook.example/?token=secret)"
CONNECT, SEND = "client error (Connect)", "client error (SendRequest)"
BAD_CERTIFICATE = "invalid peer certificate: "


def error(kind: type[DetailedPyreqwestError], *causes: str) -> DetailedPyreqwestError:
    return kind("message", {"causes": [{"message": cause} for cause in causes]})


@pytest.mark.parametrize(
    ("raised", "code", "detail", "unsent"),
    [
        (
            error(ConnectError, OUTER, CONNECT, "tcp connect error", "Connection refused (os error 111)"),
            "connect_failed",
            "192.0.2.1 port 443: connection refused",
            True,
        ),
        (
            error(ConnectError, OUTER, CONNECT, "tcp connect error", "No route to host (os error 113)"),
            "connect_failed",
            "192.0.2.1 port 443: host unreachable",
            True,
        ),
        (
            error(ConnectError, OUTER, CONNECT, "tcp connect error", "Too many open files (os error 24)"),
            "connect_failed",
            "192.0.2.1 port 443: too many open files",
            True,
        ),
        (
            error(ConnectError, OUTER, SEND, "connection error", "Connection reset by peer (os error 104)"),
            "connect_failed",
            "192.0.2.1 port 443: connection reset",
            False,
        ),
        (
            error(ConnectError, OUTER, SEND, "connection closed before message completed"),
            "connect_failed",
            "192.0.2.1 port 443: connection closed before an answer came",
            False,
        ),
        (
            error(ConnectTimeoutError, OUTER, CONNECT, "tcp connect error", "deadline has elapsed"),
            "timeout",
            "192.0.2.1 port 443: no connection in time",
            True,
        ),
        (error(ConnectTimeoutError, OUTER, "operation timed out"), "timeout", "no answer within 15 s", False),
        (
            error(ConnectError, OUTER, CONNECT, BAD_CERTIFICATE + "certificate expired: verification time 1 (UNIX)"),
            "tls_failed",
            "the certificate has expired",
            False,
        ),
        (
            error(ConnectError, OUTER, CONNECT, BAD_CERTIFICATE + "UnknownIssuer"),
            "tls_failed",
            "the certificate is self-signed or its issuer is unknown",
            False,
        ),
        (
            error(ConnectError, OUTER, CONNECT, BAD_CERTIFICATE + "Other(OtherError(CaUsedAsEndEntity))"),
            "tls_failed",
            "the certificate is self-signed",
            False,
        ),
        (
            error(ConnectError, OUTER, CONNECT, BAD_CERTIFICATE + "BadSignature"),
            "tls_failed",
            "the certificate is not valid: BadSignature",
            False,
        ),
        (
            error(ConnectError, OUTER, CONNECT, "received fatal alert: ProtocolVersion"),
            "tls_failed",
            "the receiver refused TLS: ProtocolVersion",
            False,
        ),
        (
            error(ConnectError, OUTER, CONNECT, "received corrupt message of type InvalidContentType"),
            "tls_failed",
            "no TLS connection: received corrupt message of type InvalidContentType",
            False,
        ),
        (
            error(DecodeError, OUTER, SEND, "message head is too large"),
            "protocol_error",
            "not an HTTP answer: message head is too large",
            False,
        ),
        (error(RequestError, OUTER), "request_failed", "RequestError", False),
        (error(RequestError), "request_failed", "RequestError", False),
    ],
)
def test_each_error_has_its_code(raised: DetailedPyreqwestError, code: str, detail: str, unsent: bool) -> None:
    failure = failure_of(raised, "192.0.2.1 port 443", 15.0)
    assert (failure.code, failure.detail, failure.unsent) == (code, detail, unsent)
    assert "secret" not in failure.detail


def test_a_machine_without_certificates_says_so() -> None:
    raised = BuilderError("builder error", {"causes": [{"message": "No CA certificates were loaded from the system"}]})
    assert failure_to_build(raised).code == "tls_failed"
    assert "CA certificates" in failure_to_build(raised).detail


def test_a_request_that_cannot_be_built_is_no_tls_failure() -> None:
    raised = BuilderError("builder error", {"causes": [{"message": "builder error for url (secret)"}]})
    assert failure_to_build(raised).code == "request_failed"
    assert "secret" not in failure_to_build(raised).detail
