"""The second level of caching: Redis where it is, and nobody's business where it isn't."""

import asyncio
import time
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import pytest
from django.core.cache import cache
from django.core.exceptions import SynchronousOnlyOperation

from apps.kernel import shared_cache
from apps.kernel.ids import new_uuid
from apps.kernel.shared_cache import SharedCache


class Thing(msgspec.Struct, frozen=True):
    name: str
    number: int


class Source:
    """Where values come from; counts who asks."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, keys: Iterable[str]) -> dict[str, Thing]:
        self.asked.append(sorted(keys))
        return {key: Thing(key, 1) for key in keys if not key.startswith("no")}


@pytest.fixture(autouse=True)
def rested() -> Iterator[None]:
    SharedCache._resting_until = 0
    yield
    SharedCache._resting_until = 0


@pytest.fixture
def things(settings: Any) -> SharedCache[Thing]:
    """A kind of its own; in Redis where the run has one, else in this process's memory, which behaves alike here."""
    settings.REDIS_URL = settings.REDIS_URL or "memory"
    return SharedCache(f"thing-{new_uuid()}", Thing)


def test_what_one_has_read_the_others_find(things: SharedCache[Thing]) -> None:
    one, other = Source(), Source()
    assert things.get_many(["a", "no"], 60, one) == {"a": Thing("a", 1)}
    assert things.get_many(["a", "b"], 60, other) == {"a": Thing("a", 1), "b": Thing("b", 1)}
    assert (one.asked, other.asked) == ([["a", "no"]], [["b"]])


def test_it_lasts_as_long_as_it_was_told(things: SharedCache[Thing]) -> None:

    source = Source()
    things.get_many(["a"], 0.05, source)
    time.sleep(0.1)
    things.get_many(["a"], 0.05, source)
    assert source.asked == [["a"], ["a"]]


def test_what_another_release_wrote_is_read_anew(things: SharedCache[Thing]) -> None:
    cache.set(f"{things._name}:a", msgspec.msgpack.encode({"name": 7}), 60)
    cache.set(f"{things._name}:b", "no bytes at all", 60)
    assert set(things.get_many(["a", "b"], 60, Source())) == {"a", "b"}


def test_without_redis_nothing_is_shared(things: SharedCache[Thing], settings: Any) -> None:
    settings.REDIS_URL = ""
    source = Source()
    for _ in range(2):
        assert things.get_many(["a"], 60, source) == {"a": Thing("a", 1)}
    assert len(source.asked) == 2


def test_redis_away_is_left_alone_for_a_while(things: SharedCache[Thing], monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Any] = []

    class Away:
        def get_many(self, names: Any) -> Any:
            tried.append(names)
            raise ConnectionError

        set_many = get_many

    monkeypatch.setattr(shared_cache, "cache", Away())
    for _ in range(3):
        assert things.get_many(["a"], 60, Source()) == {"a": Thing("a", 1)}
    assert len(tried) == 1


def test_it_refuses_to_hold_up_an_event_loop(things: SharedCache[Thing]) -> None:

    async def main() -> None:
        things.get_many(["a"], 60, Source())

    with pytest.raises(SynchronousOnlyOperation):
        asyncio.run(main())
