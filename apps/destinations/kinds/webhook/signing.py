"""Signatures and secrets as Standard Webhooks 1.0 writes them (`v1`: HMAC-SHA256, base64)."""

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64  # bytes of key, as the specification asks


def sign(secrets: Iterable[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header: one `v1,…` for each secret, so that a rotation breaks no receiver.

    `timestamp` in Unix seconds, as sent in `webhook-timestamp`; `secrets` are raw keys, newest first.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(["v1," + b64encode(hmac.digest(secret, signed, "sha256")).decode("ascii") for secret in secrets])


def format_secret(key: bytes) -> str:
    """The text people copy: `whsec_` and the key in base64."""
    return PREFIX + b64encode(key).decode("ascii")


def parse_secret(text: str) -> bytes:
    """The key behind `whsec_…`, padded or not; raises ValueError, which never quotes the text."""
    if not text.startswith(PREFIX):
        raise ValueError(f"must start with {PREFIX}")
    encoded = text.removeprefix(PREFIX).rstrip("=")
    try:
        key = b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"must be base64 after {PREFIX}") from None
    if not SHORTEST <= len(key) <= LONGEST:
        raise ValueError(f"must hold {SHORTEST} to {LONGEST} bytes")
    return key
