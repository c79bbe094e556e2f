"""Single edges, for whichever deliveries they are asked for: each an update that compares and sets."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from apps.deliveries.models import Delivery
from apps.deliveries.states import Edge, State, advance, sources
from apps.events.models import Event
from apps.kernel.ids import new_uuid

RELEASED: dict[str, Any] = {"claim": None, "lease_until": None}


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
