"""How much room an engine has: places and bytes, and nothing while there is but little."""

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from msgspec import structs

from apps.deliveries.engine.attempt import Attempted
from apps.deliveries.engine.hold import Hold
from apps.deliveries.engine.lanes import Lanes
from apps.deliveries.engine.pace import Pace
from apps.deliveries.engine.parcel import Parcel
from apps.deliveries.policy.fairness import most, start
from apps.deliveries.policy.retry import Decision
from apps.deliveries.states import Edge
from apps.destinations.kinds import Message, Outcome
from tests.unit.deliveries.engine.test_attempt import PARCEL

PACE = Pace(concurrency=64, held_bytes=10_000)


def parcels(count: int, size: int = 10) -> list[Parcel]:
    return [replace(PARCEL, message=Message(id="evt_x", body=b"x" * size)) for _ in range(count)]


def ended(parcel: Parcel, edge: Edge = Edge.SUCCEEDED, duration_ms: int = 5) -> Attempted:
    outcome = Outcome(status_code=200, duration_ms=duration_ms)
    return Attempted(parcel, outcome, Decision(edge), datetime(2026, 1, 1, tzinfo=UTC))


def test_an_empty_one_has_all_places() -> None:
    assert Hold(PACE).room() == 64
    assert Hold(replace(PACE, claim_set=10)).room() == 10


@pytest.mark.parametrize(("held", "room"), [(1, 63), (48, 16), (49, 0), (64, 0)])
def test_little_room_is_none(held: int, room: int) -> None:
    """A claim has its price, whatever it brings: one for each place that falls free would be dear."""
    hold = Hold(replace(PACE, held_bytes=1_000_000))
    hold.take(parcels(held))
    assert hold.room() == room


def test_bodies_take_room_until_they_are_written() -> None:
    hold = Hold(PACE)
    taken = parcels(4, size=2_500)
    hold.take(taken)
    assert (hold.bytes_left, hold.room()) == (0, 0)
    hold.waiting.clear()  # they are in flight, and end
    assert hold.room() == 0
    hold.let_go([ended(one) for one in taken[:2]])
    assert hold.bytes_left == 5_000
    assert hold.room() == 2  # as large as those seen
    hold.let_go([ended(one) for one in taken[2:]])
    assert hold.room() == 64


def test_a_body_that_found_no_room_is_waited_for() -> None:
    hold = Hold(PACE)
    hold.take(parcels(1, size=100))
    hold.typical_is(hold.bytes_left + 1)
    assert hold.room() == 0


def test_what_can_not_be_written_is_not_added_to() -> None:
    hold = Hold(replace(PACE, unsettled=30, held_bytes=1_000_000))
    hold.take(parcels(30))
    hold.waiting.clear()
    assert hold.room() == 0


@pytest.mark.parametrize(
    ("edge", "duration_ms", "wanted"),
    [
        (Edge.SUCCEEDED, 5, 2 * start(64)),
        (Edge.CANCELLED, 0, 2 * start(64)),
        (Edge.SUCCEEDED, 5_000, start(64)),
        (Edge.FAILED, 5, 1),
        (Edge.REJECTED, 5, 1),
    ],
)
def test_what_ended_tells_of_its_destination(edge: Edge, duration_ms: int, wanted: int) -> None:
    hold, lanes, destination_id = Hold(PACE), Lanes(64), PARCEL.destination_id
    hold.ended = [ended(one, edge, duration_ms) for one in parcels(start(64))]
    hold.account(lanes)
    lanes.wake([destination_id])
    assert lanes.ask(64, 0.0) == {destination_id: wanted}
    assert wanted <= most(64)


@pytest.mark.parametrize(
    ("edge", "held", "rest"),
    [(Edge.SUCCEEDED, 2.0, 0.0), (Edge.INTERRUPTED, 10.0, 5.0), (Edge.INTERRUPTED, 0.0, 5.0)],
)
def test_what_waits_for_its_transformation_gets_no_more_places(edge: Edge, held: float, rest: float) -> None:
    hold, lanes, destination_id = Hold(PACE), Lanes(64), PARCEL.destination_id
    hold.ended = [structs.replace(ended(one, edge), held=held, rest=rest) for one in parcels(start(64))]
    hold.account(lanes)
    lanes.wake([destination_id])
    if rest:
        assert lanes.ask(64, time.monotonic()) == {}
    assert lanes.ask(64, time.monotonic() + 6) == {destination_id: start(64)}
