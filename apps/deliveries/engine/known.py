"""What an engine knows of destinations and event types that are not like most: read every second, never for a claim.

It may be a second old. Nothing depends on it but speed: the claim itself refuses destinations that are limited or whose
breaker is not closed, so one that this engine does not know of yet is only claimed for a little later. Where more are
in trouble than are read, or what was read is old, the database is asked about those that attempts and claims are about.
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
FRESH_FOR = 10.0  # seconds since the last read; a process that stood still knows nothing


class Known:
    """`troubles` are exchanged as a whole, by the settling thread; `limited` and `probes` are the claiming thread's."""

    def __init__(self) -> None:
        self.troubles: Mapping[UUID, Trouble] = {}
        self.ramps: Mapping[UUID, Ramp] = {}
        self.type_policies: TypePolicies = NONE
        self.limited: set[UUID] = set()
        self._unlimited: dict[UUID, float] = {}  # until when that is believed, by the monotonic clock
        self.probes: set[UUID] = set()  # beyond what is known: found to be due for a probe
        self.broken = 0  # breakers that are not closed
        self._are_all = True  # that are in trouble
        self._read_at: float | None = None

    def read(self) -> None:
        """All anew."""
        tick = time.monotonic()
        self.type_policies = policies_of_types()
        troubles, self._are_all = breakers.troubles()
        self._exchange(troubles)
        self.broken = self._broken_known() if self._are_all else breakers.open_count()
        self._read_at = tick

    def read_once(self) -> None:
        """Where that was not done yet: policies must count from the first claim on."""
        if self._read_at is None:
            self.read()

    @property
    def is_complete(self) -> bool:
        """Whether who is not among `troubles` is in none, or in one that is but a moment old."""
        return self._are_all and self._read_at is not None and time.monotonic() - self._read_at < FRESH_FOR

    def learn(self, after: Mapping[UUID, Trouble]) -> None:
        """What this engine has just written of breakers."""
        kept = dict(self.troubles)
        for pk, trouble in after.items():
            if trouble.standing.untroubled:
                kept.pop(pk, None)
            else:
                kept[pk] = trouble
        self._exchange(kept)

    def in_trouble(self, destination_ids: Collection[UUID]) -> set[UUID]:
        """Those of them that have something to forget at a success."""
        known = {pk for pk in destination_ids if pk in self.troubles}
        if self.is_complete or len(known) == len(destination_ids):
            return known
        return known | breakers.in_trouble([pk for pk in destination_ids if pk not in known])

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
        return {pk for pk in asked if self._is_to_probe(pk, moment)}

    def _is_to_probe(self, pk: UUID, moment: datetime) -> bool:
        return pk in self.probes or (self._is_broken(pk) and may_probe(self.troubles[pk].standing, moment))

    def found_to_probe(self, gave_nothing: Collection[UUID], moment: datetime) -> set[UUID]:
        """Of destinations that gave nothing, those to be probed that were not known to be: one engine must do it."""
        doubtful = [] if self.is_complete else [pk for pk in gave_nothing if pk not in self.troubles]
        self.probes = breakers.to_be_probed(doubtful, moment) if doubtful else set()
        return self.probes

    def _broken_known(self) -> int:
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
