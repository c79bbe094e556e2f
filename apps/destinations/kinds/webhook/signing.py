"""Signatures and secrets as Standard Webhooks 1.0 writes them (`v1`: HMAC-SHA256, base64)."""

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable
from functools import lru_cache

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64  # bytes of key, as the specification asks
MOST_KEYED = 16_384


def sign(secrets: Iterable[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header: one `v1,…` for each secret, so that a rotation breaks no receiver.

    `timestamp` in Unix seconds, as sent in `webhook-timestamp`; `secrets` are raw keys, newest first.
    """
    start = f"{message_id}.{timestamp}.".encode()
    return " ".join([_signature(secret, start, body) for secret in secrets])


def _signature(secret: bytes, start: bytes, body: bytes) -> str:
    mac = _keyed(secret).copy()
    mac.update(start)
    mac.update(body)
    return "v1," + binascii.b2a_base64(mac.digest(), newline=False).decode("ascii")


@lru_cache(MOST_KEYED)
def _keyed(secret: bytes) -> hmac.HMAC:
    """Setting up a key costs as much as signing a small body with it."""
    return hmac.new(secret, digestmod="sha256")


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
