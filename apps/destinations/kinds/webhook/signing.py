"""Signatures and secrets as Standard Webhooks 1.0 writes them: `v1` is HMAC-SHA256, `v1a` Ed25519 (RFC 8032).

Texts people copy are a prefix and base64: `whsec_` a secret, `whsk_` a private key, `whpk_` its public key.
"""

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from apps.destinations.kinds.base import SigningKey
from apps.destinations.policy import Scheme

PREFIX, PRIVATE_PREFIX, PUBLIC_PREFIX = "whsec_", "whsk_", "whpk_"
SHORTEST, LONGEST = 24, 64  # bytes of a secret, as the specification asks
SEED, PAIR = 32, 64  # bytes of a private key: the seed, or the seed and its public key
MOST_KEYED = 16_384


def sign(keys: Iterable[SigningKey], message_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header: one `v1,…` or `v1a,…` for each key, so that a rotation breaks no receiver.

    `timestamp` in Unix seconds, as sent in `webhook-timestamp`; keys newest first.
    """
    start = f"{message_id}.{timestamp}.".encode()
    return " ".join([SIGNATURES[scheme](key, start, body) for scheme, key in keys])


def _hmac(secret: bytes, start: bytes, body: bytes) -> str:
    mac = _keyed(secret).copy()
    mac.update(start)
    mac.update(body)
    return "v1," + binascii.b2a_base64(mac.digest(), newline=False).decode("ascii")


@lru_cache(MOST_KEYED)
def _keyed(secret: bytes) -> hmac.HMAC:
    """Setting up a key costs as much as signing a small body with it."""
    return hmac.new(secret, digestmod="sha256")


def _ed25519(seed: bytes, start: bytes, body: bytes) -> str:
    return "v1a," + binascii.b2a_base64(_private(seed).sign(start + body), newline=False).decode("ascii")


@lru_cache(MOST_KEYED)
def _private(seed: bytes) -> Ed25519PrivateKey:
    """Its public key is worked out with it, which costs as much as a signature."""
    return Ed25519PrivateKey.from_private_bytes(seed)


SIGNATURES: Mapping[str, Callable[[bytes, bytes, bytes], str]] = {Scheme.HMAC: _hmac, Scheme.ED25519: _ed25519}


def format_secret(key: bytes) -> str:
    """The text people copy: `whsec_` and the key in base64."""
    return PREFIX + b64encode(key).decode("ascii")


@lru_cache(MOST_KEYED)
def public_text(seed: bytes) -> str:
    """`whpk_…`, with which receivers verify; no secret."""
    return PUBLIC_PREFIX + b64encode(_private(seed).public_key().public_bytes_raw()).decode("ascii")


def parse_key(text: str) -> SigningKey:
    """The key behind `whsec_…` or `whsk_…`; raises ValueError, which never quotes the text."""
    if text.startswith(PRIVATE_PREFIX):
        return SigningKey(Scheme.ED25519, _parse_private(text))
    return SigningKey(Scheme.HMAC, parse_secret(text))


def parse_secret(text: str) -> bytes:
    """The key behind `whsec_…`, padded or not; raises ValueError, which never quotes the text."""
    key = _decoded(text, PREFIX)
    if not SHORTEST <= len(key) <= LONGEST:
        raise ValueError(f"must hold {SHORTEST} to {LONGEST} bytes")
    return key


def _parse_private(text: str) -> bytes:
    """The seed. NaCl and others write the public key behind it, which must then be its own."""
    key = _decoded(text, PRIVATE_PREFIX)
    seed, public = key[:SEED], key[SEED:]
    if len(key) not in {SEED, PAIR}:
        raise ValueError(f"must hold {SEED} bytes, or {PAIR} with the public key")
    if public and public != _private(seed).public_key().public_bytes_raw():
        raise ValueError("must hold a private key and its own public key")
    return seed


def _decoded(text: str, prefix: str) -> bytes:
    if not text.startswith(prefix):
        raise ValueError(f"must start with {prefix}")
    encoded = text.removeprefix(prefix).rstrip("=")
    try:
        return b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"must be base64 after {prefix}") from None
