"""What an engine knows of destinations and event types that are not like most: read every second, never for a claim.

It may be a second old. Nothing depends on it but speed: the claim itself refuses destinations that are limited or whose
breaker is not closed, so one that this engine does not know of yet is only claimed for a little later.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from uuid import UUID

from apps.deliveries.engine.lanes import Ramp
from apps.deliveries.engine.parcel import NONE, TypePolicies
from apps.deliveries.policy.breaker import Circuit, may_probe, ramping
from apps.deliveries.store import breakers, limits
from apps.deliveries.store.breakers import Trouble
from apps.deliveries.type_policies import policies_of_types
from apps.kernel.clock import now

BELIEVED = 1.0  # seconds that a destination which gave nothing is believed to be unlimited
MOST_BELIEVED = 10_000


class Known:
    """`troubles` are exchanged as a whole, by the settling thread; `limited` is the claiming thread's own."""

    def __init__(self) -> None:
        self.troubles: Mapping[UUID, Trouble] = {}
        self.ramps: Mapping[UUID, Ramp] = {}
        self.type_policies: TypePolicies = NONE
        self.limited: set[UUID] = set()
        self._unlimited: dict[UUID, float] = {}  # until when that is believed, by the monotonic clock
        self._is_read = False

    def read(self) -> None:
        """All anew."""
        self.type_policies = policies_of_types()
        self._exchange(breakers.troubles())
        self._is_read = True

    def read_once(self) -> None:
        """Where that was not done yet: policies must count from the first claim on."""
        if not self._is_read:
            self.read()

    def learn(self, after: Mapping[UUID, Trouble]) -> None:
        """What this engine has just written of breakers."""
        kept = {pk: trouble for pk, trouble in {**self.troubles, **after}.items() if not trouble.standing.untroubled}
        self._exchange(kept)

    def _exchange(self, troubles: Mapping[UUID, Trouble]) -> None:
        moment, tick = now(), time.monotonic()
        self.ramps = {
            pk: Ramp(tick - (moment - standing.closed_at).total_seconds(), rule.ramp)
            for pk, (standing, rule) in troubles.items()
            if standing.closed_at and ramping(standing, rule, moment)
        }
        self.troubles = troubles

    def kept_back(self, asked: Iterable[UUID], moment: datetime) -> set[UUID]:
        """Those whose breaker is open, or probed by somebody: the look finds them again when their time is over."""
        return {pk for pk in asked if self._is_broken(pk) and not may_probe(self.troubles[pk].standing, moment)}

    def to_probe(self, asked: Iterable[UUID], moment: datetime) -> set[UUID]:
        return {pk for pk in asked if self._is_broken(pk) and may_probe(self.troubles[pk].standing, moment)}

    @property
    def broken(self) -> int:
        """Breakers that are not closed."""
        return sum(trouble.standing.state is not Circuit.CLOSED for trouble in self.troubles.values())

    def _is_broken(self, pk: UUID) -> bool:
        trouble = self.troubles.get(pk)
        return trouble is not None and trouble.standing.state is not Circuit.CLOSED

    def found_limited(self, gave_nothing: Collection[UUID]) -> set[UUID]:
        """Of destinations that gave nothing, those that are limited and were not known to be."""
        tick = time.monotonic()
        doubtful = [pk for pk in gave_nothing if pk not in self.limited and self._unlimited.get(pk, 0.0) < tick]
        if not doubtful:
            return set()
        found = set(limits.limited(doubtful))
        self.limited |= found
        if len(self._unlimited) > MOST_BELIEVED:
            self._unlimited.clear()
        self._unlimited |= dict.fromkeys(set(doubtful) - found, tick + BELIEVED)
        return found
