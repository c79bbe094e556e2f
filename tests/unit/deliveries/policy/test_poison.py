"""The head of an ordered line."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.deliveries.policy.poison import Head, Place, place_of
from apps.deliveries.states import State
from apps.destinations.policy import OnPoison, Poison

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PAST, FUTURE = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)
BLOCK, SKIP, DEAD_LETTER = (Poison(action, 3) for action in (OnPoison.BLOCK, OnPoison.SKIP, OnPoison.DEAD_LETTER))


@pytest.mark.parametrize(
    ("head", "poison", "place"),
    [
        (Head(State.READY, PAST, 0), BLOCK, Place.SEND),
        (Head(State.READY, NOW, 0), DEAD_LETTER, Place.SEND),
        (Head(State.READY, FUTURE, 1), DEAD_LETTER, Place.WAIT),
        (Head(State.SENDING, PAST, 0), DEAD_LETTER, Place.WAIT),
        (Head(State.DELIVERED, PAST, 0), BLOCK, Place.OVER),
        (Head(State.CANCELLED, PAST, 0), BLOCK, Place.OVER),
        (Head(None, PAST, 0), BLOCK, Place.OVER),
        (Head(State.DEAD, PAST, 9), BLOCK, Place.WAIT),
        (Head(State.DEAD, PAST, 9), SKIP, Place.OVER),
        (Head(State.DEAD, PAST, 9), DEAD_LETTER, Place.OVER),
        (Head(State.READY, FUTURE, 2), SKIP, Place.WAIT),
        (Head(State.READY, FUTURE, 3), SKIP, Place.ASIDE),
        (Head(State.READY, PAST, 3, aside=True), SKIP, Place.SEND),
        (Head(State.READY, FUTURE, 3, aside=True), SKIP, Place.WAIT),
        (Head(State.READY, FUTURE, 3), BLOCK, Place.WAIT),
        (Head(State.READY, FUTURE, 99), Poison(OnPoison.SKIP), Place.WAIT),
        (Head(State.SENDING, PAST, 3), SKIP, Place.WAIT),
    ],
)
def test_the_head_of_a_line(head: Head, poison: Poison, place: Place) -> None:
    assert place_of(head, poison, NOW) is place
