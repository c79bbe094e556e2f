"""Single edges, for whichever deliveries they are asked for: each an update that compares and sets."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from apps.deliveries.models import Attempt, Delivery
from apps.deliveries.policy.rescue import pause_after_rescue
from apps.deliveries.states import Edge, State, advance, sources
from apps.deliveries.store.lines import join_lines_again, ordered_among
from apps.destinations.models import Destination
from apps.events.models import Event
from apps.kernel.ids import new_uuid

KILLS_ENGINES = "rescued_too_often"
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


def rescue(*, now: datetime, limit: int, on_death: Callable[[QuerySet[Delivery]], None] = lambda _: None) -> int:
    """Take back what an engine holds beyond its lease; returns how many.

    One that was rescued before waits a while, the longer the more often: it may be what kills the engines. At last it
    is dead, which `on_death` hears of in the same transaction.
    """
    with transaction.atomic():
        lost = Delivery.objects.filter(state=State.SENDING, lease_until__lt=now).order_by("lease_until")
        rows = lost.select_for_update(skip_locked=True).values_list("pk", "rescues")[:limit]
        by_rescues: dict[int, list[UUID]] = defaultdict(list)
        for pk, rescues in rows:
            by_rescues[rescues].append(pk)
        found = {rescues: Delivery.objects.filter(pk__in=ids) for rescues, ids in by_rescues.items()}
        count = sum(_rescued(some, rescues, now) for rescues, some in found.items())
        for rescues, some in found.items():
            if pause_after_rescue(rescues) is None:
                on_death(some)
        return count


def _rescued(lost: QuerySet[Delivery], rescues: int, now: datetime) -> int:
    pause = pause_after_rescue(rescues)
    if pause is None:
        dead: dict[str, Any] = {"state": advance(State.SENDING, Edge.EXHAUSTED), "finished_at": now}
        return lost.update(reason=KILLS_ENGINES, rescues=rescues + 1, **dead, **RELEASED)
    again = {"rescues": rescues + 1, **({"due_at": now + pause} if pause else {})}
    return _release(lost, Edge.RESCUED, **again)


def give_back(held_by: Iterable[tuple[UUID, UUID]]) -> int:
    """Return what this engine holds, pairs of delivery and claim, as not tried; returns how many."""
    pairs = list(held_by)
    claims = {claim_id for _, claim_id in pairs}
    held = Delivery.objects.filter(pk__in=[pk for pk, _ in pairs], state=State.SENDING, claim__in=claims)
    return _release(held, Edge.INTERRUPTED)


def _release(held: QuerySet[Delivery], edge: Edge, **more: Any) -> int:
    return held.update(state=advance(State.SENDING, edge), reason=edge, **more, **RELEASED)


def cancel(deliveries: QuerySet[Delivery], *, now: datetime, reason: str = Edge.CANCELLED) -> int:
    """Cancel those of them that are not final; an attempt in flight is not written any more."""
    open_ones = deliveries.filter(state__in=sources(Edge.CANCELLED))
    return open_ones.update(state=State.CANCELLED, reason=reason, finished_at=now, **RELEASED)


def discard(deliveries: QuerySet[Delivery], *, now: datetime) -> int:
    """Take those of them that are dead out of the queue of the dead."""
    dead = deliveries.filter(state__in=sources(Edge.DISCARDED))
    return dead.update(state=advance(State.DEAD, Edge.DISCARDED), reason=Edge.DISCARDED, finished_at=now)


def replay(deliveries: QuerySet[Delivery], *, now: datetime) -> int:
    """Make those of them that are final ready again, with the whole retry schedule before them.

    But for those whose event has lost its data: there is nothing to send. (Should it lose it at this very moment, the
    engine cancels the delivery.)
    """
    erased = Event.objects.filter(pk=OuterRef("event_id"), erased_at__isnull=False)
    final = deliveries.filter(~Exists(erased), state__in=sources(Edge.REPLAYED))
    again: dict[str, Any] = {"state": State.READY, "reason": Edge.REPLAYED, "finished_at": None, "failures": 0}
    with transaction.atomic():
        lines = ordered_among(deliveries.order_by().values_list("destination_id", flat=True).distinct())
        if lines:
            _keep_claims_off(lines)
            held = final.filter(destination__in=lines).select_for_update().order_by("pk")
            join_lines_again(list(held.values_list("pk", flat=True)))
        return final.update(**again, rescues=0, due_at=now)


def _keep_claims_off(destination_ids: Collection[UUID]) -> None:
    """Until the transaction's end: a claim that takes an old state for true would take the turn away again."""
    list(Destination.objects.filter(pk__in=destination_ids).order_by("pk").select_for_update().values_list("pk"))


def hasten(deliveries: QuerySet[Delivery], *, now: datetime) -> int:
    """Make those of them that wait for a retry due now."""
    return deliveries.filter(state=State.READY, due_at__gt=now).update(due_at=now)


def lengthen(held_by: Iterable[tuple[UUID, UUID]], *, lease_until: datetime) -> int:
    """Hold these for longer, pairs of delivery and claim; returns how many."""
    pairs = list(held_by)
    claims = {claim_id for _, claim_id in pairs}
    held = Delivery.objects.filter(pk__in=[pk for pk, _ in pairs], state=State.SENDING, claim__in=claims)
    return held.update(lease_until=lease_until)


def begun_again(numbers: Mapping[UUID, int]) -> dict[UUID, datetime]:
    """By delivery, when its attempt of that number began."""
    rows = Attempt.objects.filter(delivery__in=list(numbers), number__in=set(numbers.values()))
    found = rows.values_list("delivery_id", "number", "started_at")
    return {pk: started_at for pk, number, started_at in found if numbers[pk] == number}
