"""The engine's reads and writes, in sets: claim, settle, give back, rescue.

Every write compares and sets, or locks first what it compares.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from apps.deliveries.models import Attempt, Delivery
from apps.deliveries.states import FINAL, Edge, State, advance, sources
from apps.destinations.selectors import claimable_ids
from apps.events.models import Event
from apps.kernel.ids import new_uuid

RELEASED: dict[str, Any] = {"claim": None, "lease_until": None}


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one attempt, ready to be written."""

    delivery_id: UUID
    claim: UUID
    edge: Edge
    due_at: datetime | None  # where it goes back to ready
    attempt: Attempt | None  # None when nothing was tried: interrupted, cancelled before it was sent


def deliveries_for(event: Event, destination_ids: Iterable[UUID]) -> list[Delivery]:
    """Unsaved rows: one per destination, due at once."""
    due = event.received_at
    return [
        Delivery(
            id=new_uuid(),
            project_id=event.project_id,
            event_id=event.pk,
            destination_id=destination_id,
            due_at=due,
            created_at=due,
        )
        for destination_id in destination_ids
    ]


def claim(*, limit: int, now: datetime, lease_until: datetime, but_not: Collection[UUID] = ()) -> list[Delivery]:
    """Take up to `limit` due deliveries, with their destination; none of the destinations in `but_not`.

    Engines beside this one skip the rows that are locked here; SQLite has one writer at a time anyhow.
    """
    claim_id = new_uuid()
    with transaction.atomic():
        due = Delivery.objects.filter(state=State.READY, due_at__lte=now, destination__in=claimable_ids())
        due = due.exclude(destination__in=but_not) if but_not else due
        locked = due.order_by("due_at").select_for_update(skip_locked=True)
        ids = list(locked.values_list("pk", flat=True)[:limit])
        Delivery.objects.filter(pk__in=ids).update(
            state=advance(State.READY, Edge.CLAIMED), reason=Edge.CLAIMED, claim=claim_id, lease_until=lease_until
        )
    # By the claim, not the ids: somebody may have cancelled one meanwhile.
    return list(Delivery.objects.filter(pk__in=ids, claim=claim_id).select_related("destination"))


@transaction.atomic
def settle(settlements: Sequence[Settlement], *, now: datetime) -> set[UUID]:
    """Write what became of the attempts; returns the deliveries it was written for.

    A settlement whose claim does not hold the delivery any more (its lease ran out, or a person cancelled it) is
    left out: another engine may be sending it at this moment.
    """
    held = _lock_held(settlements)
    won = [settlement for settlement in settlements if settlement.delivery_id in held]
    for edge, group in _grouped(won).items():
        _move(edge, group, now)
    Attempt.objects.bulk_create([settlement.attempt for settlement in won if settlement.attempt])
    return {settlement.delivery_id for settlement in won}


def _lock_held(settlements: Sequence[Settlement]) -> set[UUID]:
    claims = {settlement.delivery_id: settlement.claim for settlement in settlements}
    rows = Delivery.objects.select_for_update().filter(pk__in=claims, state=State.SENDING).order_by("pk")
    return {pk for pk, claim_id in rows.values_list("pk", "claim") if claims[pk] == claim_id}


def _grouped(settlements: Iterable[Settlement]) -> dict[Edge, list[Settlement]]:
    groups: dict[Edge, list[Settlement]] = defaultdict(list)
    for settlement in settlements:
        groups[settlement.edge].append(settlement)
    return groups


def _move(edge: Edge, group: Sequence[Settlement], now: datetime) -> None:
    """One update for all that took the same edge with the same answer, and one for the times of the retries."""
    state = advance(State.SENDING, edge)
    for (status_code, error, tried), ids in _alike(group).items():
        Delivery.objects.filter(pk__in=ids).update(
            state=state,
            reason=edge,
            finished_at=now if state in FINAL else None,
            last_status_code=status_code if tried else F("last_status_code"),
            last_error=error if tried else F("last_error"),
            attempts=F("attempts") + int(tried),
            failures=F("failures") + int(tried and edge is Edge.FAILED),
            **RELEASED,
        )
    if edge is Edge.FAILED:
        retries = [Delivery(pk=one.delivery_id, due_at=one.due_at or now) for one in group]
        Delivery.objects.bulk_update(retries, ["due_at"])


def _alike(group: Iterable[Settlement]) -> dict[tuple[int | None, str, bool], list[UUID]]:
    found: dict[tuple[int | None, str, bool], list[UUID]] = defaultdict(list)
    for settlement in group:
        attempt = settlement.attempt
        key = (attempt.status_code, attempt.error, True) if attempt else (None, "", False)
        found[key].append(settlement.delivery_id)
    return found


def rescue(*, now: datetime, limit: int) -> int:
    """Take back what an engine holds beyond its lease; returns how many."""
    with transaction.atomic():
        lost = Delivery.objects.filter(state=State.SENDING, lease_until__lt=now).order_by("lease_until")
        ids = list(lost.select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit])
        return _release(Delivery.objects.filter(pk__in=ids), Edge.RESCUED)


def give_back(held_by: Iterable[tuple[UUID, UUID]]) -> int:
    """Return what this engine holds, pairs of delivery and claim, as not tried; returns how many."""
    pairs = list(held_by)
    claims = {claim_id for _, claim_id in pairs}
    held = Delivery.objects.filter(pk__in=[pk for pk, _ in pairs], state=State.SENDING, claim__in=claims)
    return _release(held, Edge.INTERRUPTED)


def _release(held: QuerySet[Delivery], edge: Edge) -> int:
    return held.update(state=advance(State.SENDING, edge), reason=edge, **RELEASED)


def cancel(deliveries: QuerySet[Delivery], *, now: datetime, reason: str = Edge.CANCELLED) -> int:
    """Cancel those of them that are not final; an attempt in flight is not written any more."""
    open_ones = deliveries.filter(state__in=sources(Edge.CANCELLED))
    return open_ones.update(state=State.CANCELLED, reason=reason, finished_at=now, **RELEASED)


def replay(deliveries: QuerySet[Delivery], *, now: datetime) -> int:
    """Make those of them that are final ready again, with the whole retry schedule before them."""
    final = deliveries.filter(state__in=sources(Edge.REPLAYED))
    return final.update(state=State.READY, reason=Edge.REPLAYED, finished_at=None, failures=0, due_at=now)


def hasten(deliveries: QuerySet[Delivery], *, now: datetime) -> int:
    """Make those of them that wait for a retry due now."""
    return deliveries.filter(state=State.READY, due_at__gt=now).update(due_at=now)
