"""API keys as text and as hash. Pure, except that the pepper comes from the settings."""

import hmac
import secrets
from dataclasses import dataclass

from django.conf import settings

PREFIX_LENGTH = 11  # `tl_` and eight characters, shown in lists so that a person can tell keys apart


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the one moment it is known in full."""

    text: str
    prefix: str
    digest: str


def new_key() -> NewKey:
    """`tl_` + 8 characters to look it up by + 43 characters of secret (256 bits)."""
    lookup = secrets.token_hex(4)
    text = f"tl_{lookup}{secrets.token_urlsafe(32)}"
    return NewKey(text=text, prefix=text[:PREFIX_LENGTH], digest=digest(text))


def prefix_of(text: str) -> str:
    """The part a key is looked up by; empty when the text can't be a key."""
    return text[:PREFIX_LENGTH] if text.startswith("tl_") and len(text) > PREFIX_LENGTH else ""


def matches(text: str, kept: str) -> bool:
    """Whether this is the hash kept of the key, under today's or an earlier SECRET_KEY."""
    peppers = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return any(hmac.compare_digest(_digest(text, pepper), kept) for pepper in peppers)


def digest(text: str) -> str:
    """The hash that is kept of a key, under today's SECRET_KEY."""
    return _digest(text, settings.SECRET_KEY)


def _digest(text: str, pepper: str) -> str:
    return hmac.digest(f"trunkline.api-key:{pepper}".encode(), text.encode(), "sha256").hex()
