"""What an engine holds, and how much room is left: parcels wait to be sent, are in flight, or wait to be written."""

import time
from collections import deque
from typing import Any
from uuid import UUID

from apps.deliveries.engine.attempt import Attempted
from apps.deliveries.engine.lanes import Lanes
from apps.deliveries.engine.pace import Pace
from apps.deliveries.engine.parcel import Obstacle, Parcel
from apps.deliveries.policy.fairness import NOTHING, SLOW, Tally
from apps.deliveries.states import Edge

GOOD = frozenset({Edge.SUCCEEDED, Edge.CANCELLED, Edge.INTERRUPTED})
QUICKLY, SLOWLY, FAILED, TIMED, SECONDS = range(len(Tally._fields))
TYPICAL = 2_000  # bytes of a body, until some were seen


class Hold:
    """Used in the engine's loop only."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.parcels: set[Parcel] = set()
        self.waiting: deque[Parcel] = deque()
        self.in_flight = 0
        self._bytes = 0
        self._typical = float(TYPICAL)
        self.ended: list[Attempted] = []  # since `account`
        self._pace_seen = 0.0  # attempts a second
        self._counted_at = time.monotonic()

    def take(self, parcels: list[Parcel]) -> None:
        """Claimed: they wait for their turn."""
        self.parcels.update(parcels)
        self.waiting.extend(parcels)
        size = sum(len(parcel.message.body) for parcel in parcels)
        self._bytes += size
        if parcels:  # at once where they are larger, slowly where they are smaller
            mean = size / len(parcels)
            self._typical = max(mean, 0.9 * self._typical + 0.1 * mean)

    def let_go(self, attempts: list[Attempted]) -> None:
        """They are written."""
        for one in attempts:
            self.parcels.discard(one.parcel)
            self._bytes -= len(one.parcel.message.body)

    @property
    def bytes_left(self) -> int:
        return self.pace.held_bytes - self._bytes

    def typical_is(self, size: float) -> None:
        """A body was seen that found no room."""
        self._typical = max(self._typical, size)

    def places(self) -> int:
        """What may wait or be in flight together: a bit more than in flight, the quicker they go the more."""
        return self.pace.concurrency + min(self.pace.concurrency, int(self._pace_seen * self.pace.ahead))

    def room(self) -> int:
        """How many more may be claimed now; nothing while there is but little room, as each claim has its price."""
        places = self.places()
        free = places - self.in_flight - len(self.waiting)
        if free < max(1, places // 4) or len(self.parcels) >= self.pace.unsettled:
            return 0
        fitting = int(self.bytes_left / self._typical) if self.parcels else free
        return max(0, min(free, fitting, self.pace.claim_set))

    def account(self, lanes: Lanes) -> None:
        """Tell the lanes what ended since the last time."""
        ended, self.ended = self.ended, []
        lanes.places = self.places()
        self._measure(len(ended))
        last = {one.parcel.destination_id: one.parcel for one in ended}
        for destination_id, tally in _tallied(ended).items():
            lanes.ended(destination_id, tally, adaptive=_adaptive(last[destination_id]))
        if rests := {one.parcel.destination_id: one.rest for one in ended if one.rest}:
            lanes.shut(rests, time.monotonic())

    def _measure(self, count: int) -> None:
        now = time.monotonic()
        if (elapsed := now - self._counted_at) > 0:
            weight = min(1.0, elapsed * 5)  # what was longer ago than a fifth of a second hardly counts
            self._pace_seen += weight * (count / elapsed - self._pace_seen)
            self._counted_at = now


def _tallied(ended: list[Attempted]) -> dict[UUID, Tally]:
    """By destination."""
    sums: dict[UUID, list[Any]] = {}
    for one in ended:
        if (mine := sums.get(one.parcel.destination_id)) is None:
            mine = sums[one.parcel.destination_id] = list(NOTHING)
        mine[_sort(one)] += 1
        if one.decision.edge is Edge.SUCCEEDED:
            mine[TIMED] += 1
            mine[SECONDS] += one.outcome.duration_ms / 1_000
    return {destination_id: Tally(*mine) for destination_id, mine in sums.items()}


def _adaptive(parcel: Parcel) -> bool:
    target = parcel.target
    return isinstance(target, Obstacle) or target.policy.adaptive is not False


def _sort(one: Attempted) -> int:
    """Its place in a tally. What waits for its transformation holds its place all the same."""
    if one.decision.edge not in GOOD:
        return FAILED
    return SLOWLY if one.rest or max(one.held, one.outcome.duration_ms / 1_000) >= SLOW else QUICKLY
