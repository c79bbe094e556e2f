"""The picture of what is due: everybody has a turn, nobody gets more than may be held."""

from collections import Counter
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from apps.deliveries.engine.lanes import CHUNK, Lanes, Ramp
from apps.deliveries.policy.fairness import FAILING, PROBES, REST, Tally, most, start

ONE, TWO, THREE = UUID(int=1), UUID(int=2), UUID(int=3)
PLACES = 256


def lanes(*due: UUID) -> Lanes:
    made = Lanes(PLACES)
    made.wake(due)
    return made


def give(of: Lanes, asked: dict[UUID, int], now: float = 0.0) -> None:
    """All that was asked for."""
    of.gave(asked, Counter(asked), Counter(asked), now)


def trusted(destination_id: UUID) -> Lanes:
    """Lanes where this one has shown that it is quick."""
    made = lanes(destination_id)
    give(made, made.ask(PLACES, 0.0))
    made.ended(destination_id, Tally(quick=start(PLACES)))
    for _ in range(10):
        made.ended(destination_id, Tally(quick=PLACES))
    return made


def test_nothing_due_nothing_asked() -> None:
    assert lanes().ask(PLACES, 0.0) == {}
    assert lanes(ONE).ask(0, 0.0) == {}


def test_an_unknown_one_gets_a_few_until_they_ended() -> None:
    found = lanes(ONE)
    asked = found.ask(PLACES, 0.0)
    assert asked == {ONE: start(PLACES)}
    give(found, asked)
    assert found.ask(PLACES, 0.0) == {}  # it has more, and holds what it may
    found.ended(ONE, Tally(quick=3))
    assert found.ask(PLACES, 0.0) == {ONE: 6}  # the three that ended, and three for having been quick


def test_a_quick_one_alone_has_nearly_all_and_then_shares() -> None:
    found = trusted(ONE)
    found.wake([ONE])
    assert found.ask(PLACES, 0.0) == {ONE: most(PLACES)}
    found.wake([ONE, TWO])
    asked = found.ask(PLACES, 0.0)
    assert asked[TWO] == start(PLACES)


def test_who_gave_less_than_was_asked_has_no_more_until_it_is_woken() -> None:
    found = lanes(ONE)
    asked = found.ask(PLACES, 0.0)
    found.gave(asked, Counter({ONE: 3}), Counter({ONE: 3}), 0.0)
    found.ended(ONE, Tally(quick=3))
    assert found.ask(PLACES, 0.0) == {}
    found.wake([ONE])
    assert ONE in found.ask(PLACES, 0.0)


def test_a_wake_up_during_the_claim_counts() -> None:
    """What it tells of may be younger than what the claim saw."""
    found = lanes(ONE)
    asked = found.ask(PLACES, 0.0)
    found.wake([ONE])
    found.gave(asked, Counter(), Counter(), 0.0)
    assert found.ask(PLACES, 0.0) == asked


def test_they_take_turns() -> None:
    ids = [UUID(int=number) for number in range(1, 101)]
    found = lanes(*ids)
    turns: list[UUID] = []
    while len(turns) < 100:
        asked = found.ask(2 * CHUNK, 0.0)
        assert sum(asked.values()) <= 2 * CHUNK
        turns += asked
        give(found, asked)
    assert sorted(turns[:100]) == ids


def test_one_that_fails_is_probed_now_and_then() -> None:
    found = lanes(ONE)
    give(found, found.ask(PLACES, 0.0))
    found.ended(ONE, Tally(failed=FAILING))
    asked = found.ask(PLACES, 1.0)
    assert asked == {ONE: PROBES}
    give(found, asked, now=1.0)
    found.ended(ONE, Tally(failed=PROBES))
    assert found.ask(PLACES, 1.0) == {}
    assert found.next_rest_ends() == 1.0 + REST
    assert found.ask(PLACES, 1.0 + REST) == {ONE: PROBES}
    assert found.next_rest_ends() is None


def test_what_was_given_back_is_not_held() -> None:
    found = lanes(ONE)
    asked = found.ask(PLACES, 0.0)
    found.gave(asked, Counter(asked), Counter({ONE: 1}), 0.0)
    assert found.ask(PLACES, 0.0) == {ONE: start(PLACES) - 1}


@given(st.lists(st.tuples(st.sampled_from([ONE, TWO, THREE]), st.integers(0, 300), st.booleans()), max_size=40))
def test_never_more_than_there_is_room_for(rounds: list[tuple[UUID, int, bool]]) -> None:
    found, held = Lanes(PLACES), Counter[UUID]()
    for destination_id, room, good in rounds:
        found.wake([destination_id])
        asked = found.ask(room, 0.0)
        assert sum(asked.values()) <= room
        give(found, asked)
        held.update(asked)
        assert max(held.values(), default=0) <= most(PLACES)
        if count := held.pop(destination_id, 0):
            found.ended(destination_id, Tally(quick=count if good else 0, failed=0 if good else count))


def test_where_each_has_but_one_more_are_asked_than_there_is_room() -> None:
    found = lanes(*map(UUID, many(2_000)))
    room, asked = PLACES, dict[UUID, int]()
    for _ in range(8):
        asked = found.ask(room, 0.0)
        found.gave(asked, Counter(dict.fromkeys(asked, 1)), Counter(), 0.0)
    assert len(asked) > 100
    assert sum(asked.values()) > room


def test_those_a_full_claim_did_not_come_to_are_first_in_turn() -> None:
    found = lanes(ONE, TWO, THREE)
    asked = found.ask(PLACES, 0.0)
    found.gave(asked, Counter({ONE: asked[ONE]}), Counter(), 0.0, full=True)
    assert [*found.ask(PLACES, 0.0)][-1] == ONE


def test_every_one_is_served_however_claims_are_cut_short() -> None:
    """The database takes them in an order of its own, here the worst: always the smallest ids first."""
    ids = [UUID(int=number) for number in range(1, 301)]
    found, left = lanes(*ids), Counter(dict.fromkeys(ids, 4))
    for _ in range(2_000):
        asked, room = found.ask(20, 0.0), 20
        claimed = Counter[UUID]()
        for one in sorted(asked):
            claimed[one] = min(asked[one], left[one], room - claimed.total())
        found.gave(asked, +claimed, +claimed, 0.0, full=claimed.total() >= room)
        left -= claimed
        for one in +claimed:
            found.ended(one, Tally(quick=claimed[one]))
        if not left:
            return
    raise AssertionError(f"{len(left)} were never served")


def many(count: int) -> list[str]:
    return [f"{number:032x}" for number in range(1, count + 1)]


# Limits and ramps


def test_one_that_rests_is_due_still_and_asked_for_when_its_time_comes() -> None:
    found = lanes(ONE, TWO)
    give(found, found.ask(PLACES, 0.0))
    found.ended(ONE, Tally(quick=start(PLACES)))
    found.rest({ONE: 5.0})
    assert ONE not in found.ask(PLACES, 4.9)
    assert found.next_rest_ends() == 5.0
    assert ONE in found.ask(PLACES, 5.0)


def test_what_a_resting_one_waits_for_may_come_sooner() -> None:
    found = lanes()
    found.rest({ONE: 5.0})
    found.rested([ONE, TWO])
    assert ONE in found.ask(PLACES, 0.1)


def test_nothing_brings_back_sooner_what_this_engine_can_not_do() -> None:
    found = lanes()
    found.shut({ONE: 5.0}, 10.0)
    found.shut({ONE: 1.0}, 10.0)
    found.rest({ONE: 11.0})
    found.rested([ONE])
    found.wake([ONE])
    assert ONE not in found.ask(PLACES, 14.9)
    assert found.next_rest_ends() == 15.0
    assert ONE in found.ask(PLACES, 15.0)
    assert found.next_rest_ends() is None


def test_after_its_breaker_closed_a_destination_is_given_more_and_more() -> None:
    found = trusted(ONE)
    found.ramps = {ONE: Ramp(began=100.0, seconds=10.0)}
    for now, most_held in ((100.0, 1), (105.0, PLACES // 2), (110.0, most(PLACES))):
        found.wake([ONE])
        assert found.ask(PLACES, now) == {ONE: most_held}
