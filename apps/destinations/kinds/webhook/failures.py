"""Why an attempt got no answer: the HTTP library's errors as stable codes, with one line for people.

The library tells its errors apart by a chain of messages, the innermost last. The outermost holds the URL, which may
hold a token; so only the innermost is looked at, and quoted only where it is the library's own text.
"""

import errno
import os
import re

from pyreqwest.exceptions import (
    BuilderError,
    DecodeError,
    DetailedPyreqwestError,
    RequestTimeoutError,
)

DNS_FAILED = "dns_failed"
ADDRESS_REFUSED = "address_refused"
CONNECT_FAILED = "connect_failed"  # refused, unreachable, reset, hung up
TLS_FAILED = "tls_failed"
TIMEOUT = "timeout"
PROTOCOL_ERROR = "protocol_error"  # what came is not HTTP, or too much of it
REQUEST_FAILED = "request_failed"  # all else

OS_ERROR = re.compile(r"\(os error (\d+)\)")
OS_PHRASES = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection reset",
    errno.EHOSTUNREACH: "host unreachable",
    errno.ENETUNREACH: "network unreachable",
    errno.ETIMEDOUT: "connection timed out",
}
HUNG_UP = ("connection closed before message completed", "without sending TLS close_notify", "unexpected EOF")
CERTIFICATE_PHRASES = (
    ("UnknownIssuer", "the certificate is self-signed or its issuer is unknown"),
    ("CaUsedAsEndEntity", "the certificate is self-signed"),
    ("certificate expired", "the certificate has expired"),
    ("Expired", "the certificate has expired"),
    ("not valid yet", "the certificate is not valid yet"),
    ("NotValidYet", "the certificate is not valid yet"),
    ("not valid for name", "the certificate is for another name"),
    ("NotValidForName", "the certificate is for another name"),
    ("Revoked", "the certificate is revoked"),
)


class AttemptFailed(Exception):
    """The attempt is over; `unsent` when not even a connection was made, so that another address may be tried."""

    def __init__(self, code: str, detail: str, *, unsent: bool = False, status_code: int | None = None) -> None:
        super().__init__(code, detail)
        self.code, self.detail, self.unsent, self.status_code = code, detail, unsent, status_code


def failure_of(error: DetailedPyreqwestError, peer: str, seconds: float) -> AttemptFailed:
    """What `error` means. `peer` is the address and port, `seconds` the attempt's whole time."""
    causes = _causes(error)
    innermost = causes[-1]
    # Not the error's class: the library says ConnectTimeoutError also when the request was sent long ago.
    connecting = any("client error (Connect)" in cause for cause in causes)
    if isinstance(error, RequestTimeoutError):
        late = f"{peer}: no connection in time" if connecting else f"no answer within {seconds:g} s"
        return AttemptFailed(TIMEOUT, late, unsent=connecting)
    if phrase := _tls_phrase(innermost):
        return AttemptFailed(TLS_FAILED, phrase)
    if phrase := _connection_phrase(innermost):
        return AttemptFailed(CONNECT_FAILED, f"{peer}: {phrase}", unsent=connecting)
    if isinstance(error, DecodeError):
        return AttemptFailed(PROTOCOL_ERROR, f"not an HTTP answer: {innermost}")
    if connecting:  # TCP's own errors are dealt with above
        return AttemptFailed(TLS_FAILED, f"no TLS connection: {innermost}")
    return AttemptFailed(REQUEST_FAILED, type(error).__name__)


def failure_to_build(error: BuilderError) -> AttemptFailed:
    """What it means that there is no client, or no request, to begin with."""
    phrase = _tls_phrase(_causes(error)[-1])
    return AttemptFailed(TLS_FAILED, phrase) if phrase else AttemptFailed(REQUEST_FAILED, "the request can't be built")


def _causes(error: DetailedPyreqwestError) -> list[str]:
    return [cause["message"] for cause in error.details.get("causes") or []] or [""]


def _connection_phrase(message: str) -> str | None:
    if found := OS_ERROR.search(message):
        number = int(found[1])
        return OS_PHRASES.get(number) or os.strerror(number).lower()
    if any(phrase in message for phrase in HUNG_UP):
        return "connection closed before an answer came"
    return None


def _tls_phrase(message: str) -> str | None:
    if "invalid peer certificate" in message:
        known = (phrase for mark, phrase in CERTIFICATE_PHRASES if mark in message)
        return next(known, f"the certificate is not valid: {message.rpartition(': ')[2]}")
    if "received fatal alert" in message:
        return f"the receiver refused TLS: {message.rpartition(': ')[2]}"
    if "No CA certificates" in message:
        return "this machine has no CA certificates to check the receiver's with"
    return None
