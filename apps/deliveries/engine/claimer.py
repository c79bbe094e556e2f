"""Takes due deliveries in sets, as many as there is room for, and packs them."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from apps.deliveries import store
from apps.deliveries.engine.admission import Admission
from apps.deliveries.engine.known import Known
from apps.deliveries.engine.letters import hold_back
from apps.deliveries.engine.parcel import Parcel, pack
from apps.deliveries.engine.transforming import QUEUE
from apps.deliveries.store import Claimed, breakers
from apps.destinations.kinds import Target
from apps.kernel.clock import now

MARGIN = 10.0  # seconds of a lease after an attempt, in which it must be written


@dataclass(frozen=True, slots=True)
class Catch:
    """What a claim brought."""

    parcels: list[Parcel]
    claimed: Counter[UUID]  # by destination
    kept: Counter[UUID]  # the same without those given back: so many parcels there are
    asked: Mapping[UUID, int]  # what was left of it where limits cut it down
    rests: Mapping[UUID, float] = field(default_factory=dict)  # seconds to leave them alone: they are due still
    capped: frozenset[UUID] = frozenset()  # of these, those that rest until some of theirs have ended
    again: frozenset[UUID] = frozenset()  # to be asked for again at once


def run_once(
    *,
    asked: Mapping[UUID, int],
    limit: int,
    bytes_left: int,
    alone: bool,
    lease: timedelta,
    known: Known | None = None,
) -> Catch:
    """Claim and pack what is asked for, at most `limit`; each must be settled before its lease is over.

    What has no room is given back. `alone`: nothing else is held, so that one goes however large it is.
    """
    moment, tick = now(), time.monotonic()
    known = known or Known()
    known.read_once()
    asked = _without(asked, known.kept_back(asked, moment))
    admission = Admission(asked, limited=known.limited.intersection(asked), probing=known.to_probe(asked, moment))
    is_gated = bool(admission.limited or admission.probing)
    rows: list[Claimed] = []
    with store.given_back_on_fault(rows):
        with transaction.atomic() if is_gated else nullcontext():
            if is_gated:
                admission.open(moment)
            rows += _claim(admission, moment, moment + lease, limit, bytes_left)
            kept = list(_fitting(rows, bytes_left, alone=alone))
            if len(kept) < len(rows):
                ids = {row.id for row in kept}
                store.give_back((row.id, row.claim) for row in rows if row.id not in ids)
            claimed = _by_destination(rows)
            kept_of = _by_destination(kept) if len(kept) < len(rows) else claimed
            if is_gated:
                admission.close(kept_of, moment, probe_until=moment + lease)
        known.limited -= admission.unlimited
        gave_nothing = [pk for pk in admission.asked if pk not in claimed]
        again = known.found_limited(gave_nothing) if len(rows) < limit else set()
        again |= known.found_to_probe([pk for pk in gave_nothing if pk not in admission.probing], moment)
        parcels = pack(kept, known.type_policies)
        longer = _hold_to_leases(parcels, moment, tick, lease.total_seconds())
        hold_back(parcels)
        breakers.prolong({pk: until for pk, until in longer.items() if pk in admission.probing}, since=moment + lease)
    return Catch(
        parcels,
        claimed,
        kept_of,
        admission.asked,
        admission.rests,
        frozenset(admission.capped),
        frozenset(again | admission.unlimited),
    )


def _without(asked: Mapping[UUID, int], some: set[UUID]) -> Mapping[UUID, int]:
    return {pk: wanted for pk, wanted in asked.items() if pk not in some} if some else asked


def _claim(admission: Admission, moment: datetime, lease_until: datetime, limit: int, bytes_left: int) -> list[Claimed]:
    if not admission.asked:
        return []
    return store.claim(
        admission.asked,
        limit=limit,
        now=moment,
        lease_until=lease_until,
        bytes_left=bytes_left,
        limited=admission.limited,
        probed=admission.probing,
    )


def _hold_to_leases(parcels: Sequence[Parcel], moment: datetime, tick: float, lease: float) -> dict[UUID, datetime]:
    """Say until when each may be sent; a longer lease for those whose attempt would fill theirs: until when at most.

    By the monotonic clock as of before the claim: it goes on while an engine is stopped, and never jumps.
    """
    long: dict[float, list[Parcel]] = {}
    for one in parcels:
        longest = _longest(one)
        if longest + 2 * MARGIN > lease:
            long.setdefault(longest + 3 * MARGIN, []).append(one)
        one.send_by = tick + lease - longest - MARGIN
    longer: dict[UUID, datetime] = {}
    for seconds, some in sorted(long.items()):
        until = moment + timedelta(seconds=seconds)
        store.lengthen([(one.delivery_id, one.claim) for one in some], lease_until=until)
        for one in some:
            one.send_by = tick + 2 * MARGIN
            longer[one.destination_id] = until
    return longer


def _longest(parcel: Parcel) -> float:
    """Seconds that its attempt may take: one with a transformation waits for that first."""
    target = parcel.target
    return parcel.terms.timeout + (QUEUE if isinstance(target, Target) and target.transform else 0.0)


def _by_destination(rows: Iterable[Claimed]) -> Counter[UUID]:
    return Counter([row.destination_id for row in rows])


def _fitting(rows: Sequence[Claimed], bytes_left: int, *, alone: bool) -> Iterator[Claimed]:
    """The store brings the data of one in any case."""
    for row in rows:
        bytes_left -= len(row.data or b"")
        left_behind = row.data is None and row.event_type is not None
        if not left_behind and (bytes_left >= 0 or alone):
            yield row
        alone = False
