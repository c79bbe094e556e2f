"""What becomes of the one at the head of an ordered line: whether it may be sent, and whether it holds up the rest."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from apps.deliveries.states import State
from apps.destinations.policy import OnPoison, Poison


class Place(StrEnum):
    """What a claim does about the head of a line."""

    SEND = "send"
    WAIT = "wait"  # in flight, waiting for its next attempt, or dead and blocking
    OVER = "over"  # it holds nobody up any more: the next comes to the head
    ASIDE = "aside"  # it is tried on by itself, and the next comes to the head


@dataclass(frozen=True, slots=True)
class Head:
    """The delivery at the head of a line; `state` is None where it is gone."""

    state: State | None
    due_at: datetime
    failures: int
    aside: bool = False  # it was skipped: its line is its own


def place_of(head: Head, poison: Poison, now: datetime) -> Place:
    """By its state and the destination's policy."""
    if head.state is None or head.state in {State.DELIVERED, State.CANCELLED}:
        return Place.OVER
    if head.state is State.DEAD:
        return Place.WAIT if poison.action is OnPoison.BLOCK else Place.OVER
    if head.state is State.SENDING:
        return Place.WAIT
    if poison.action is OnPoison.SKIP and poison.after and not head.aside and head.failures >= poison.after:
        return Place.ASIDE
    return Place.SEND if head.due_at <= now else Place.WAIT
