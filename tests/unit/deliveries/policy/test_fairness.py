"""How many a destination may hold: by table, and what holds whatever happens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.deliveries.policy.fairness import FAILING, NEW, PROBES, REST, Conduct, Tally, judged, most, start, window

PLACES = 256


def after(
    *rounds: dict[str, int],
    conduct: Conduct = NEW,
    places: int = PLACES,
    took: float | None = None,
    adaptive: bool = True,
) -> Conduct:
    for one in rounds:
        succeeded = one.get("quick", 0) + one.get("slow", 0)
        timed, seconds = (succeeded, succeeded * took) if took is not None else (0, 0.0)
        conduct = judged(conduct, Tally(**one, timed=timed, seconds=seconds), places=places, adaptive=adaptive)
    return conduct


TABLE = [
    ([], 8),  # not known yet: 1 place in 32
    ([{"quick": 8}], 16),  # each quick success is one more: it doubles with every round
    ([{"quick": 8}, {"quick": 16}, {"quick": 32}], 64),
    ([{"quick": 1_000}], 224),  # 7 of 8 places, however well it does
    ([{"slow": 8}], 8),  # who holds places for long is given no more
    ([{"quick": 100}, {"slow": 108}], 8),  # and has to give back
    ([{"quick": 100}, {"slow": 3}], 108),  # though not for a few
    ([{"failed": 1}], 7),  # each failure is one less
    ([{"failed": 1}] * 7, 1),  # but never nothing
    ([{"quick": 56}, {"quick": 20, "failed": 44}], 32),  # a round of more failures than successes halves it
    ([{"quick": 56}, {"quick": 10, "failed": 20}, {"quick": 10, "failed": 24}], 32),  # however it comes in
    ([{"quick": 56}, {"failed": 1}, {"quick": 63}], 126),
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


def test_one_that_fails_now_and_then_keeps_its_window() -> None:
    """Ended one at a time, each failure is all there is to see at that moment."""
    often = after(*([{"quick": 1}] * 5 + [{"failed": 1}]) * 100)
    assert window(often, places=PLACES) > most(PLACES) - 3
    in_bunches = after(*([{"quick": 40}] + [{"failed": 1}] * (FAILING - 1)) * 20)
    assert window(in_bunches, places=PLACES) > most(PLACES) - FAILING


@given(st.lists(ROUND, max_size=10))
def test_a_destination_that_recovers_soon_has_nearly_all_again(rounds: list[dict[str, int]]) -> None:
    conduct = after(*rounds)
    for _ in range(10):
        conduct = after({"quick": window(conduct, places=PLACES)}, conduct=conduct)
    assert window(conduct, places=PLACES) == most(PLACES)
    assert conduct.rest == 0.0


# One that slows

WIDE = after({"quick": 1_000}, took=0.1)  # its best is a tenth of a second
WHOLE = {"quick": most(PLACES)}  # a round of it


def test_a_quick_one_stays_wide_within_the_tolerance() -> None:
    assert window(after(WHOLE, conduct=WIDE, took=2 * 0.1 + 0.25), places=PLACES) == most(PLACES)


def test_one_that_slows_is_given_less_in_proportion() -> None:
    """(2 × 0.1 + 0.25) / 0.6 = three quarters of 224 places; and never below a half in one round."""
    assert window(after(WHOLE, conduct=WIDE, took=0.6), places=PLACES) == 168
    assert window(after(WHOLE, conduct=WIDE, took=0.95), places=PLACES) == 112


def test_one_that_slows_is_left_alone_where_that_is_wanted() -> None:
    assert window(after(WHOLE, conduct=WIDE, took=0.95, adaptive=False), places=PLACES) == most(PLACES)


def test_one_that_is_quick_again_has_all_again() -> None:
    slowed = after(*[WHOLE] * 5, conduct=WIDE, took=0.95)
    assert window(slowed, places=PLACES) < most(PLACES)
    assert window(after(*[{"quick": 50}] * 10, conduct=slowed, took=0.1), places=PLACES) == most(PLACES)


def test_one_that_has_become_slow_for_good_is_not_held_down_for_ever() -> None:
    """At the floor it is not our load that slows it: what it takes there is its best now."""
    conduct, windows = WIDE, []
    for _ in range(60):
        conduct = after({"quick": window(conduct, places=PLACES)}, conduct=conduct, took=0.7)
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
