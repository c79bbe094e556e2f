"""Idempotency keys as the store keeps them."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from apps.events.store import key_hash

ONE, OTHER = UUID(int=1), UUID(int=2)
texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20)
keys = st.one_of(texts.map(lambda key: ("key", key)), st.tuples(st.just("cloudevents"), texts, texts))


@given(keys)
def test_a_key_is_a_uuid_that_every_database_takes(key: tuple[str, ...]) -> None:
    hashed = key_hash(ONE, key)
    assert (hashed.version, hashed.variant) == (5, "specified in RFC 4122")
    assert hashed == key_hash(ONE, key)
    assert hashed != key_hash(OTHER, key)


@given(keys, keys)
def test_keys_do_not_run_into_one_another(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert (key_hash(ONE, one) == key_hash(ONE, other)) == (one == other)


def test_the_hash_is_for_good() -> None:
    """Another one tomorrow, and every repeat of yesterday's events would be accepted again."""
    assert key_hash(ONE, ("key", "k")) == UUID("f9030add-ac57-52a8-a3e1-8e8752a1c9dd")
