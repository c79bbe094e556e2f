"""A cache that is bounded by number and by weight."""

import pytest

from apps.kernel.remembered import WeighedCache


def filled(*weights: int) -> WeighedCache[int, str]:
    cache = WeighedCache[int, str](most=3, weight=10)
    for key, weight in enumerate(weights):
        cache.put(key, str(key), weight)
    return cache


@pytest.mark.parametrize(
    ("weights", "left"),
    [
        ((1, 1, 1), [0, 1, 2]),
        ((1, 1, 1, 1), [1, 2, 3]),
        ((4, 4, 4), [1, 2]),
        ((1, 9, 10), [2]),
        ((1, 11), []),
    ],
)
def test_the_oldest_go_first(weights: tuple[int, ...], left: list[int]) -> None:
    cache = filled(*weights)
    assert [key for key in range(len(weights)) if cache.get(key) is not None] == left
    assert (len(cache), cache.weight) == (len(left), sum(weights[key] for key in left))


def test_what_is_used_stays() -> None:
    cache = filled(1, 1, 1)
    assert cache.get(0) == "0"
    cache.put(3, "3", 1)
    assert (cache.get(0), cache.get(1)) == ("0", None)


def test_what_is_put_again_weighs_once() -> None:
    cache = filled(5)
    cache.put(0, "new", 6)
    assert (cache.get(0), cache.weight) == ("new", 6)
