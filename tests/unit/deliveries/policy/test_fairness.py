"""How many a destination may hold: by table, and what holds whatever happens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.deliveries.policy.fairness import FAILING, NEW, PROBES, REST, Conduct, judged, most, start, window

PLACES = 256


def after(
    *rounds: dict[str, int],
    conduct: Conduct = NEW,
    places: int = PLACES,
    took: float | None = None,
    adaptive: bool = True,
) -> Conduct:
    for one in rounds:
        counts = {name: one.get(name, 0) for name in ("quick", "slow", "failed")}
        conduct = judged(conduct, **counts, places=places, took=took, adaptive=adaptive)
    return conduct


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
    conduct = after(*rounds, places=places)
    assert 1 <= window(conduct, places=places) <= most(places)
    assert conduct.failures >= 0


@given(st.lists(ROUND, max_size=10))
def test_a_destination_that_recovers_soon_has_nearly_all_again(rounds: list[dict[str, int]]) -> None:
    conduct = after(*rounds)
    for _ in range(10):
        conduct = after({"quick": window(conduct, places=PLACES)}, conduct=conduct)
    assert window(conduct, places=PLACES) == most(PLACES)
    assert conduct.rest == 0.0


# One that slows

WIDE = after({"quick": 1_000}, took=0.1)  # its best is a tenth of a second


def test_a_quick_one_stays_wide_within_the_tolerance() -> None:
    assert window(after({"quick": 10}, conduct=WIDE, took=2 * 0.1 + 0.25), places=PLACES) == most(PLACES)


def test_one_that_slows_is_given_less_in_proportion() -> None:
    """(2 × 0.1 + 0.25) / 0.6 = three quarters of 224 places; and never below a half in one round."""
    assert window(after({"quick": 10}, conduct=WIDE, took=0.6), places=PLACES) == 168
    assert window(after({"quick": 10}, conduct=WIDE, took=0.95), places=PLACES) == 112


def test_one_that_slows_is_left_alone_where_that_is_wanted() -> None:
    assert window(after({"quick": 10}, conduct=WIDE, took=0.95, adaptive=False), places=PLACES) == most(PLACES)


def test_one_that_is_quick_again_has_all_again() -> None:
    slowed = after(*[{"quick": 10}] * 20, conduct=WIDE, took=0.95)
    assert window(slowed, places=PLACES) < most(PLACES)
    assert window(after(*[{"quick": 50}] * 10, conduct=slowed, took=0.1), places=PLACES) == most(PLACES)


def test_one_that_has_become_slow_for_good_is_not_held_down_for_ever() -> None:
    """At the floor it is not our load that slows it: what it takes there is its best now."""
    conduct, windows = WIDE, []
    for _ in range(60):
        conduct = after({"quick": 10}, conduct=conduct, took=0.7)
        windows.append(window(conduct, places=PLACES))
    assert min(windows) == start(PLACES)
    assert windows[-1] > 3 * start(PLACES)


LATENCY = st.one_of(st.none(), st.floats(0, 120))


@given(st.lists(st.tuples(ROUND, LATENCY), max_size=40), st.integers(1, 4_096))
def test_slowing_alone_never_takes_more_than_the_floor(
    rounds: list[tuple[dict[str, int], float | None]], places: int
) -> None:
    conduct = NEW
    for one, took in rounds:
        before = window(conduct, places=places)
        conduct = after({**one, "failed": 0, "slow": 0}, conduct=conduct, places=places, took=took)
        now_has = window(conduct, places=places)
        assert now_has >= min(before, start(places))
        assert now_has <= most(places)
        assert conduct.best is None or conduct.best >= 0


@given(st.floats(0, 1), st.floats(0, 60), st.floats(0, 60))
def test_the_slower_the_less(best: float, one: float, other: float) -> None:
    conduct = Conduct(100, 0, best)
    quicker, slower = (after({"quick": 5}, conduct=conduct, took=took) for took in sorted((one, other)))
    assert window(slower, places=PLACES) <= window(quicker, places=PLACES)
