"""What request headers say about an event besides its content type: its idempotency key, its trace."""

import re
from collections.abc import Mapping

from apps.intake.parsing.limits import MAX_TEXT
from apps.kernel.errors import Fault

_PRINTABLE = re.compile(r"[\x20-\x7e]+")
_QUOTED = re.compile(r'"(?:[^"\\]|\\["\\])*"')
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_TRACEPARENT_LENGTH = 55  # of version 00; a later version may append


def idempotency_key(headers: Mapping[str, str]) -> tuple[str, list[Fault]]:
    """The Idempotency-Key, empty when not sent, and what is wrong with it.

    The draft (draft-ietf-httpapi-idempotency-key-header) has it in quotes, an RFC 9651 String; most clients of
    today send it bare. Both spellings of a key are the same key.
    """
    sent = headers.get("idempotency-key")
    if sent is None:
        return "", []
    key = sent.strip()
    if _QUOTED.fullmatch(key):
        key = unescaped(key)
    if not _PRINTABLE.fullmatch(key) or len(key) > MAX_TEXT:
        detail = f"the header Idempotency-Key must be 1 to {MAX_TEXT} printable ASCII characters"
        return "", [Fault("", detail, "invalid_idempotency_key")]
    return key, []


def unescaped(quoted: str) -> str:
    """The text of a quoted string (RFC 9110, 5.6.4)."""
    return re.sub(r"\\(.)", r"\1", quoted[1:-1])


def traceparent(text: str | None) -> str:
    """A valid W3C `traceparent` as version 00, empty for anything else: a broken trace stops no event."""
    if not text or not _TRACEPARENT.fullmatch(text):
        return ""
    version_00 = text.startswith("00")
    if version_00:
        return text if len(text) == _TRACEPARENT_LENGTH else ""
    # Trace Context, "Versioning": what a later version appends is dropped along with its number.
    return "00" + text[2:_TRACEPARENT_LENGTH]
