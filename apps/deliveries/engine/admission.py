"""What a claim may take from destinations that are limited or whose breaker is open, decided under their rows' locks.

All in the claim's own transaction: whatever it ends with, tokens are taken for what was claimed and for nothing else,
and two engines never count the same place of a cap.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from apps.deliveries.policy.breaker import PROBES, Standing, may_probe, probed
from apps.deliveries.policy.buckets import grant, taken
from apps.deliveries.store import breakers, limits
from apps.destinations.policy import Policy

CONTENDED = 0.02  # seconds until one is asked for again that another engine is claiming for
CAPPED = 0.25  # the same where as many are in flight as may be; sooner when some of ours are written


class Admission:
    """Made at the transaction's beginning, told what was claimed at its end."""

    def __init__(self, asked: Mapping[UUID, int], *, limited: Collection[UUID], probing: Collection[UUID]) -> None:
        self.asked = dict(asked)  # as admitted
        self.limited, self.probing = set(limited), set(probing)  # those whose locks are held
        self.unlimited: set[UUID] = set()  # that were known as limited, and are not any more
        self.rests: dict[UUID, float] = {}  # seconds to leave them alone
        self.capped: set[UUID] = set()  # that rest until something ends
        self._arrivals: dict[UUID, datetime] = {}
        self._policies: dict[UUID, Policy] = {}
        self._standings: dict[UUID, Standing] = {}
        self._granted: dict[UUID, int] = {}

    def open(self, moment: datetime) -> None:
        """Take the locks, and cut what is asked for down to what there is."""
        if self.probing:
            self._open_probes(moment)
        if self.limited:
            self._open_limits(moment)
        self.asked = {pk: wanted for pk, wanted in self.asked.items() if wanted > 0}

    def close(self, kept: Counter[UUID], moment: datetime, *, probe_until: datetime) -> None:
        """So many were claimed, and kept."""
        spent = {pk: kept[pk] for pk in self._granted if kept[pk]}
        rates = {pk: self._policies[pk].rate_limit for pk in spent}
        limits.buckets_write(
            {pk: taken(self._arrivals[pk], moment, rate, spent[pk]) for pk, rate in rates.items() if rate}
        )
        for pk in [pk for pk, granted in self._granted.items() if kept[pk] < granted]:
            self.rests.pop(pk, None)  # there is no more to come
            self.capped.discard(pk)
        breakers.write({pk: probed(one, until=probe_until) for pk, one in self._standings.items() if kept[pk]})

    def _open_probes(self, moment: datetime) -> None:
        """One engine probes: it has the lock, and finds the time over."""
        found = breakers.locked(self.probing, skip=True)
        self._standings = {pk: one for pk, one in found.items() if may_probe(one, moment)}
        for pk in self.probing - set(self._standings):
            self.asked[pk] = 0
        for pk in self._standings:
            self.asked[pk] = min(self.asked[pk], PROBES)
        self.probing = set(self._standings)

    def _open_limits(self, moment: datetime) -> None:
        self._policies = limits.limited(self.limited)
        self.unlimited = self.limited - set(self._policies)
        self._arrivals = limits.buckets_locked(set(self._policies), now=moment)
        capped = [pk for pk in self._arrivals if self._policies[pk].max_in_flight]
        held = limits.in_flight(capped) if capped else {}
        for pk, policy in self._policies.items():
            if pk in self._arrivals:
                self._cut(pk, policy, moment, held.get(pk, 0))
            else:
                self.asked[pk], self.rests[pk] = 0, CONTENDED
        self.limited = set(self._granted)

    def _cut(self, pk: UUID, policy: Policy, moment: datetime, held: int) -> None:
        wanted = self.asked[pk]
        if policy.max_in_flight is not None and (room := max(0, policy.max_in_flight - held)) < self.asked[pk]:
            self.asked[pk], self.rests[pk] = room, CAPPED
            self.capped.add(pk)
        if policy.rate_limit is not None:
            granted = grant(self._arrivals[pk], moment, policy.rate_limit, self.asked[pk])
            if granted.tokens < self.asked[pk]:
                self.asked[pk], self.rests[pk] = granted.tokens, (granted.next_at - moment).total_seconds()
                self.capped.discard(pk)
        if wanted:
            self._granted[pk] = self.asked[pk]
