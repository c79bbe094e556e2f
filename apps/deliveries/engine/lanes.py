"""Which destinations have deliveries due, and how many of each may be taken now. A picture, in this engine's memory:
wake-ups and looks paint it, claims correct it."""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from apps.deliveries.policy.breaker import rising
from apps.deliveries.policy.fairness import NEW, Conduct, Tally, judged, window

CHUNK = 16  # deliveries: taking fewer from many destinations at once costs more than taking turns
MOST_ASKED = 500  # destinations of one claim
LEAST_YIELD = 1 / 16
MOST_REMEMBERED = 10_000  # destinations whose conduct is kept


class Ramp(NamedTuple):
    """A destination whose breaker closed lately: from when on, and for how many seconds, its pace is raised."""

    began: float
    seconds: float


class Lanes:
    """Used in the engine's loop only; times are its clock's seconds."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.ramps: Mapping[UUID, Ramp] = {}
        self._due: OrderedDict[UUID, None] = OrderedDict()  # whose turn is next comes first
        self._held: Counter[UUID] = Counter()
        self._conduct: OrderedDict[UUID, Conduct] = OrderedDict()
        self._resting: dict[UUID, float] = {}  # until when
        self._shut: dict[UUID, float] = {}  # the same of those that nothing brings back sooner
        self._yield = 1.0  # deliveries that claims bring of late for each that is asked for

    def wake(self, destination_ids: Iterable[UUID]) -> None:
        """These have something due."""
        for destination_id in destination_ids:
            self._due.setdefault(destination_id)

    def ask(self, room: int, now: float) -> dict[UUID, int]:
        """What to claim next to fill `room`. Their turn is over with this, until `gave` or a wake-up renews it.

        Where destinations have but few each, more is asked for than there is room: the claim must mind the room, too.
        """
        self._end_rests(now)
        left = room / self._yield
        asked: dict[UUID, int] = {}
        chunk = max(CHUNK, room // max(1, len(self._due)))
        for destination_id in self._due:
            if left < 1 or len(asked) >= MOST_ASKED:
                break
            if wanted := min(chunk, int(left), self._allowed(destination_id, now)):
                asked[destination_id] = wanted
                left -= wanted
        for destination_id in asked:
            del self._due[destination_id]
        return asked

    def _allowed(self, destination_id: UUID, now: float) -> int:
        if destination_id in self._resting or destination_id in self._shut:
            return 0
        allowed = window(self._conduct.get(destination_id, NEW), places=self.places)
        if ramp := self.ramps.get(destination_id):
            allowed = min(allowed, rising(self.places, now - ramp.began, ramp.seconds))
        return max(0, allowed - self._held[destination_id])

    def gave(
        self, asked: Mapping[UUID, int], claimed: Counter[UUID], kept: Counter[UUID], now: float, *, full: bool = False
    ) -> None:
        """What a claim brought: whoever gave all that was asked for may have more.

        `full`: the room was, so those it did not come to are due as before, and first in turn.
        """
        self._held.update(kept)
        if asked:
            self._learn(claimed.total() / sum(asked.values()), full=full)
        for destination_id, wanted in asked.items():
            if full or claimed[destination_id] >= wanted:
                self._due.setdefault(destination_id)
            if full and not claimed[destination_id]:
                self._due.move_to_end(destination_id, last=False)
            if rest := self._conduct.get(destination_id, NEW).rest:
                self._resting[destination_id] = now + rest

    def rest(self, rests: Mapping[UUID, float]) -> None:
        """These are due still, and left alone until then: their next token comes, or their breaker lets a probe out."""
        for destination_id, until in rests.items():
            self._due.setdefault(destination_id)
            self._resting[destination_id] = until

    def rested(self, destination_ids: Iterable[UUID]) -> None:
        """What these waited for has come sooner."""
        for destination_id in destination_ids:
            self._resting.pop(destination_id, None)

    def shut(self, rests: Mapping[UUID, float], now: float) -> None:
        """These are due still, and this engine can't do anything about it for so many seconds."""
        for destination_id, seconds in rests.items():
            self._due.setdefault(destination_id)
            self._shut[destination_id] = max(now + seconds, self._shut.get(destination_id, 0.0))

    def _learn(self, seen: float, *, full: bool) -> None:
        wanted = 2 * self._yield if full else (self._yield + seen) / 2
        self._yield = min(1.0, max(LEAST_YIELD, wanted))

    def ended(self, destination_id: UUID, tally: Tally, *, adaptive: bool = True) -> None:
        """So many of its deliveries are not held any more."""
        self._held[destination_id] -= tally.ended
        if self._held[destination_id] <= 0:
            del self._held[destination_id]
        conduct = self._conduct.pop(destination_id, NEW)
        self._conduct[destination_id] = judged(conduct, tally, places=self.places, adaptive=adaptive)
        if len(self._conduct) > MOST_REMEMBERED:
            self._conduct.popitem(last=False)

    def next_rest_ends(self) -> float | None:
        """When one that rests may be asked again; None where none rests."""
        return min([*self._resting.values(), *self._shut.values()], default=None)

    def _end_rests(self, now: float) -> None:
        for rests in (self._resting, self._shut):
            for destination_id in [one for one, until in rests.items() if until <= now]:
                del rests[destination_id]
