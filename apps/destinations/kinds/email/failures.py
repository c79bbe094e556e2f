"""What became of a letter, as an outcome's fields: codes that are stable, with one line for people."""

import smtplib
import ssl
from typing import Any

from apps.destinations.kinds.email.handing import Refused

UNAVAILABLE = "not_configured"
CONNECT_FAILED = "connect_failed"
TLS_FAILED = "tls_failed"
TIMEOUT = "timeout"
PROTOCOL_ERROR = "protocol_error"
REFUSED = "smtp_refused"  # for good, as the server says
DEFERRED = "smtp_deferred"  # for now
REQUEST_FAILED = "request_failed"

ACCEPTED = 250  # RFC 5321 4.2.2
SHOWN = 200  # characters of what the server said


def taken(refused: Refused) -> dict[str, Any]:
    """The server took it, for some at least. Where it puts others off, the whole is tried again: twice is better."""
    if _is_deferred(refused):
        return failed(DEFERRED, _said(refused))
    return {"status_code": ACCEPTED, "detail": f"not for {_said(refused)}" if refused else ""}


def _said(refused: Refused) -> str:
    return "; ".join(f"{address}: {_spoken(*answer)}" for address, answer in refused.items())


def failure_of(error: Exception, seconds: float) -> dict[str, Any]:
    """What it means, in our codes; a mail server's number is no HTTP status, so it is in the text."""
    match error:
        case TimeoutError():
            return failed(TIMEOUT, f"the mail server did not take it within {seconds:g} s")
        case smtplib.SMTPRecipientsRefused(recipients=recipients):
            return failed(DEFERRED if _is_deferred(recipients) else REFUSED, _said(recipients))
        case smtplib.SMTPAuthenticationError() | smtplib.SMTPConnectError() | smtplib.SMTPHeloError():
            code = error.smtp_code  # what it says beside it is for the operator
            return failed(_sort(code), f"the mail server refused us: {code}")
        case smtplib.SMTPResponseException(smtp_code=code, smtp_error=said) if code > 0:
            return failed(_sort(code), _spoken(code, said if isinstance(said, bytes) else str(said).encode()))
        case smtplib.SMTPServerDisconnected():
            return failed(CONNECT_FAILED, "the mail server hung up")
        case smtplib.SMTPNotSupportedError():
            return failed(PROTOCOL_ERROR, "the mail server does not offer what is asked for: STARTTLS, or a login")
        case smtplib.SMTPException():
            return failed(PROTOCOL_ERROR, f"no answer of a mail server: {type(error).__name__}")
        case ssl.SSLError():
            return failed(TLS_FAILED, f"no TLS connection: {error.reason or 'unknown'}".lower())
        case OSError():
            return failed(CONNECT_FAILED, f"the mail server can't be reached: {error.strerror or type(error).__name__}")
    return failed(REQUEST_FAILED, type(error).__name__)


def _is_deferred(refused: Refused) -> bool:
    return any(code // 100 == 4 for code, _ in refused.values())


def _sort(code: int) -> str:
    return {4: DEFERRED, 5: REFUSED}.get(code // 100, PROTOCOL_ERROR)


def failed(error: str, detail: str) -> dict[str, Any]:
    return {"error": error, "detail": detail}


def _spoken(code: int, said: bytes) -> str:
    """On one line."""
    return f"{code} {' '.join(said.decode('utf-8', 'replace').split())}"[:SHOWN]
