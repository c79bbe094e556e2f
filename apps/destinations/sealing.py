"""Secrets at rest: AES-256-GCM (NIST SP 800-38D) under keys with ids, so that keys can be rotated.

A sealed text is `id:base64(nonce ‖ ciphertext)`. The purpose and the row's id are authenticated with it: a sealed text
copied to another row does not open.
"""

import base64
import os
from functools import lru_cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from apps.kernel.errors import Conflict

NONCE_BYTES = 12


class Unsealable(Conflict):
    """The key is not configured any more, or the text was tampered with."""

    code = "secrets_unreadable"


def seal(plain: bytes, *, purpose: str, row: UUID) -> str:
    """Encrypt under the newest key."""
    key_id, key = settings.ENCRYPTION_KEYS[0]
    nonce = os.urandom(NONCE_BYTES)
    sealed = nonce + AESGCM(key).encrypt(nonce, plain, _bound_to(purpose, row))
    return f"{key_id}:{base64.b64encode(sealed).decode()}"


@lru_cache(maxsize=10_000)
def unseal(sealed: str, *, purpose: str, row: UUID) -> bytes:
    """Decrypt under the key the text names; raises Unsealable. Cached: the engine asks for the same ones again."""
    key_id, _, encoded = sealed.partition(":")
    key = dict(settings.ENCRYPTION_KEYS).get(key_id)
    if key is None:
        raise Unsealable(f"sealed under the key {key_id!r}, which TRUNKLINE_ENCRYPTION_KEYS does not have")
    try:
        raw = base64.b64decode(encoded, validate=True)
        return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound_to(purpose, row))
    except (InvalidTag, ValueError):
        raise Unsealable("the sealed text or its key was changed") from None


def is_current(sealed: str) -> bool:
    """Whether it is sealed under the newest key."""
    return sealed.partition(":")[0] == settings.ENCRYPTION_KEYS[0][0]


def _bound_to(purpose: str, row: UUID) -> bytes:
    return f"{purpose}:{row}".encode()
