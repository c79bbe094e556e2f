"""Secrets at rest: they open with their key, in their row, for their purpose, untouched; and only so."""

import base64
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from apps.destinations import sealing
from apps.destinations.sealing import Unsealable, is_current, seal, unseal

ROW, OTHER_ROW = UUID(int=1), UUID(int=2)
OLD, NEW = ("old", bytes(32)), ("new", bytes(range(32)))


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> Settings:
    settings.ENCRYPTION_KEYS = (OLD,)
    sealing.unseal.cache_clear()
    return settings


@given(st.binary(max_size=300))
def test_round_trip(plain: bytes) -> None:
    assert unseal(seal(plain, purpose="secret", row=ROW), purpose="secret", row=ROW) == plain


def test_the_same_twice_is_sealed_differently() -> None:
    assert seal(b"plain", purpose="secret", row=ROW) != seal(b"plain", purpose="secret", row=ROW)


def test_the_plain_text_is_not_in_it() -> None:
    sealed = seal(b"a telling secret", purpose="secret", row=ROW)
    assert b"telling" not in base64.b64decode(sealed.partition(":")[2])


def test_another_row_does_not_open_it() -> None:
    with pytest.raises(Unsealable):
        unseal(seal(b"plain", purpose="secret", row=ROW), purpose="secret", row=OTHER_ROW)


def test_another_purpose_does_not_open_it() -> None:
    with pytest.raises(Unsealable):
        unseal(seal(b"plain", purpose="secret", row=ROW), purpose="config", row=ROW)


def test_every_changed_bit_is_noticed() -> None:
    key_id, _, encoded = seal(b"x", purpose="secret", row=ROW).partition(":")
    raw = base64.b64decode(encoded)
    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Unsealable):
            unseal(f"{key_id}:{base64.b64encode(changed).decode()}", purpose="secret", row=ROW)


@pytest.mark.parametrize("text", ["", "old", "old:", "old:AAAA", "old:A", "old:****", "old:ü", ":", "old:" + "A" * 40])
def test_what_is_no_sealed_text_is_unsealable_and_nothing_worse(text: str) -> None:
    with pytest.raises(Unsealable):
        unseal(text, purpose="secret", row=ROW)


def test_rotation(keys: Settings) -> None:
    before = seal(b"plain", purpose="secret", row=ROW)
    keys.ENCRYPTION_KEYS = (NEW, OLD)
    after = seal(b"plain", purpose="secret", row=ROW)
    assert (is_current(before), is_current(after)) == (False, True)
    assert unseal(before, purpose="secret", row=ROW) == unseal(after, purpose="secret", row=ROW) == b"plain"


def test_without_its_key_it_stays_shut_and_says_which(keys: Settings) -> None:
    before = seal(b"plain", purpose="secret", row=ROW)
    keys.ENCRYPTION_KEYS = (NEW,)
    with pytest.raises(Unsealable, match="'old'"):
        unseal(before, purpose="secret", row=ROW)


def test_another_key_under_the_same_id_does_not_open_it(keys: Settings) -> None:
    before = seal(b"plain", purpose="secret", row=ROW)
    keys.ENCRYPTION_KEYS = (("old", bytes([1] * 32)),)
    with pytest.raises(Unsealable):
        unseal(before, purpose="secret", row=ROW)
