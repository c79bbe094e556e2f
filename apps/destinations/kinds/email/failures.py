"""What became of a letter, as an outcome's fields: codes that are stable, with one line for people.

What a mail server says may name its network: everybody sees the codes it answers with, only operators its words. These
are as they came in `inner`, for whoever masks them to see all of them: `one_line` is for what is left.
"""

import re
import smtplib
import ssl
from typing import Any

from apps.destinations.kinds.email.handing import Refused
from apps.destinations.kinds.email.letter import Misread

UNAVAILABLE = "not_configured"
CONNECT_FAILED = "connect_failed"
TLS_FAILED = "tls_failed"
TIMEOUT = "timeout"
PROTOCOL_ERROR = "protocol_error"
REFUSED = "smtp_refused"  # for good, as the server says
DEFERRED = "smtp_deferred"  # for now
DOMAIN_REFUSED = "domain_refused"  # the operator names others
ADDRESS_INVALID = "address_invalid"  # stored before there was the rule
REQUEST_FAILED = "request_failed"

ACCEPTED = 250  # RFC 5321 4.2.2
CODES = range(200, 600)
ENHANCED = re.compile(r"([245])\.\d{1,3}\.\d{1,3}(?!\S)", re.ASCII)  # RFC 3463 2
LONGEST = 4_000  # characters of what the server said, in the log


def taken(refused: Refused) -> dict[str, Any]:
    """The server took it, for some at least. Where it puts others off, the whole is tried again: twice is better."""
    if _is_deferred(refused):
        return _refused_for(refused)
    if not refused:
        return {"status_code": ACCEPTED, "detail": ""}
    return {"status_code": ACCEPTED, "detail": f"not for {_codes_of(refused)}", "inner": f"not for {_said(refused)}"}


def failure_of(error: Exception, seconds: float) -> dict[str, Any]:
    """What it means, in our codes; a mail server's number is no HTTP status, so it is in the text."""
    match error:
        case TimeoutError():
            return failed(TIMEOUT, f"the mail server did not take it within {seconds:g} s")
        case Misread():
            return failed(ADDRESS_INVALID, "mail programs would read its addresses as others", _words(error))
        case smtplib.SMTPRecipientsRefused(recipients=recipients):
            return _refused_for(recipients)
        case smtplib.SMTPResponseException(smtp_code=code, smtp_error=said) if code in CODES:
            return _refused(_whom(error), code, said)
        case smtplib.SMTPServerDisconnected():
            return failed(CONNECT_FAILED, "the mail server hung up", _words(error))
        case smtplib.SMTPNotSupportedError():
            detail = "the mail server does not offer what is asked for: STARTTLS, or a login"
            return failed(PROTOCOL_ERROR, detail, _words(error))
        case smtplib.SMTPException():
            return failed(PROTOCOL_ERROR, f"no answer of a mail server: {type(error).__name__}", _words(error))
        case ssl.SSLError():
            reason = getattr(error, "reason", "") or "unknown"
            return failed(TLS_FAILED, f"no TLS connection: {reason}".lower(), _words(error))
        case OSError():
            detail = f"the mail server can't be reached: {error.strerror or type(error).__name__}"
            return failed(CONNECT_FAILED, detail, _words(error))
    return failed(REQUEST_FAILED, type(error).__name__, _words(error))


def _whom(error: Exception) -> str:
    match error:
        case smtplib.SMTPSenderRefused():
            return "the sender"
        case smtplib.SMTPDataError():
            return "the letter"
    return "us"


def _refused(whom: str, code: int, said: bytes | str) -> dict[str, Any]:
    told = f"the mail server refused {whom}: "
    return failed(_sort(code), told + _codes(code, said), f"{told}{code} {_text(said)}")


def _refused_for(recipients: Refused) -> dict[str, Any]:
    error, told = DEFERRED if _is_deferred(recipients) else REFUSED, "the mail server refused "
    return failed(error, told + _codes_of(recipients), told + _said(recipients))


def _is_deferred(refused: Refused) -> bool:
    return any(code // 100 == 4 for code, _ in refused.values())


def _sort(code: int) -> str:
    return {4: DEFERRED, 5: REFUSED}.get(code // 100, PROTOCOL_ERROR)


def failed(error: str, detail: str, inner: str = "") -> dict[str, Any]:
    return {"error": error, "detail": detail, "inner": inner}


def _codes_of(refused: Refused) -> str:
    return "; ".join(f"{address}: {_codes(*answer)}" for address, answer in refused.items())


def _said(refused: Refused) -> str:
    return "; ".join(f"{address}: {code} {_text(said)}" for address, (code, said) in refused.items())


def _codes(code: int, said: bytes | str) -> str:
    """The three digits, and the enhanced code behind them where it goes with them."""
    enhanced = ENHANCED.match(_text(said))
    return f"{code} {enhanced[0]}" if enhanced and enhanced[1] == str(code)[0] else str(code)


def _text(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said


def _words(error: Exception) -> str:
    """With its kind: some say nothing. Of an answer its text: of bytes, Python shows an escaped spelling."""
    said = f"{error.smtp_code} {_text(error.smtp_error)}" if isinstance(error, smtplib.SMTPResponseException) else error
    return f"{type(error).__name__}: {said}"


def one_line(text: str) -> str:
    """For the log: what isn't printable might play with a terminal."""
    line = " ".join(text.split())
    return "".join(char if char.isprintable() else "?" for char in line)[:LONGEST]
