"""How many a destination may hold: by table, and what holds whatever happens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.deliveries.policy.fairness import FAILING, NEW, PROBES, REST, Standing, judged, most, start, window

PLACES = 256


def after(*rounds: dict[str, int], standing: Standing = NEW, places: int = PLACES) -> Standing:
    for one in rounds:
        standing = judged(standing, **{"quick": 0, "slow": 0, "failed": 0, **one}, places=places)
    return standing


TABLE = [
    ([], 8),  # not known yet: 1 place in 32
    ([{"quick": 8}], 16),  # each quick success is one more: it doubles with every round
    ([{"quick": 8}, {"quick": 16}, {"quick": 32}], 64),
    ([{"quick": 1_000}], 224),  # 7 of 8 places, however well it does
    ([{"slow": 8}], 8),  # who holds places for long is given no more
    ([{"quick": 100}, {"slow": 3}], 8),  # and has to give back
    ([{"failed": 1}], 4),  # failures halve it
    ([{"failed": 1}] * 4, 1),
    ([{"failed": 1}] * 7, 1),  # but never to nothing
    ([{"quick": 24}, {"quick": 2, "failed": 2}], 32),  # half and half: it stays
    ([{"failed": FAILING}], PROBES),
    ([{"failed": 500}, {"quick": 1}], 3),  # one success, and it is on its way again
]


@pytest.mark.parametrize(("rounds", "places"), TABLE)
def test_the_window(rounds: list[dict[str, int]], places: int) -> None:
    assert window(after(*rounds), places=PLACES) == places


def test_who_only_fails_is_left_alone_for_a_while() -> None:
    assert NEW.rest == after({"failed": FAILING - 1}).rest == 0.0
    assert after({"failed": 1}, {"failed": FAILING - 1}).rest == REST
    assert after({"failed": 100}, {"slow": 1}).rest == 0.0


@pytest.mark.parametrize("places", [1, 2, 3, 4, 16, 256, 4_096])
def test_a_new_one_leaves_room_for_others(places: int) -> None:
    assert 1 <= start(places) <= most(places) <= max(1, places - 1)


ROUND = st.fixed_dictionaries({name: st.integers(0, 300) for name in ("quick", "slow", "failed")})


@given(st.lists(ROUND, max_size=30), st.integers(1, 4_096))
def test_whatever_happens_it_may_hold_one_and_never_all(rounds: list[dict[str, int]], places: int) -> None:
    standing = after(*rounds, places=places)
    assert 1 <= window(standing, places=places) <= most(places)
    assert standing.failures >= 0


@given(st.lists(ROUND, max_size=10))
def test_a_destination_that_recovers_soon_has_nearly_all_again(rounds: list[dict[str, int]]) -> None:
    standing = after(*rounds)
    for _ in range(10):
        standing = after({"quick": window(standing, places=PLACES)}, standing=standing)
    assert window(standing, places=PLACES) == most(PLACES)
    assert standing.rest == 0.0
