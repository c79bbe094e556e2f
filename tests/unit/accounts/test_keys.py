"""API keys as text and hash."""

import re

import pytest
from pytest_django import Settings

from apps.accounts import keys


def test_the_format_is_for_good() -> None:
    """Secret scanners look for it, and users' columns were made to hold it."""
    new = keys.new_key()
    assert re.fullmatch(r"tl_[0-9a-f]{8}[A-Za-z0-9_-]{43}", new.text)
    assert new.prefix == new.text[:11] == keys.prefix_of(new.text)


def test_no_two_are_alike() -> None:
    made = [keys.new_key() for _ in range(100)]
    assert len({key.text for key in made}) == len({key.prefix for key in made}) == 100


@pytest.mark.parametrize("text", ["", "tl_", "tl_abcdefgh", "sk_abcdefghijkl", "TL_abcdefghijkl", " tl_abcdefghijkl"])
def test_what_cannot_be_a_key_is_not_looked_up(text: str) -> None:
    assert keys.prefix_of(text) == ""


def test_only_the_whole_key_matches() -> None:
    new = keys.new_key()
    assert keys.matches(new.text, new.digest)
    for other in (new.text[:-1], new.text + "x", new.text.swapcase(), new.prefix, keys.new_key().text):
        assert not keys.matches(other, new.digest)


def test_the_digest_is_no_plain_hash_and_needs_the_secret_key(settings: Settings) -> None:
    new = keys.new_key()
    assert re.fullmatch(r"[0-9a-f]{64}", new.digest)
    settings.SECRET_KEY = "another"
    settings.SECRET_KEY_FALLBACKS = []
    assert not keys.matches(new.text, new.digest)


def test_a_rotated_secret_key_still_opens_while_it_is_a_fallback(settings: Settings) -> None:
    settings.SECRET_KEY = "old"
    old = keys.new_key()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["older", "old"]
    new = keys.new_key()
    assert keys.matches(old.text, old.digest)
    assert keys.matches(new.text, new.digest)
    settings.SECRET_KEY_FALLBACKS = []
    assert not keys.matches(old.text, old.digest)
    assert keys.matches(new.text, new.digest)
