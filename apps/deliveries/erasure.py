"""Erases one consumer everywhere, chunk by chunk: its events with all that belongs to them, its destinations, itself.

Each chunk does the first thing that is left to do, in the caller's transaction: a process may die at any line, and
whatever comes for the consumer meanwhile is found by a later one. It ends when nothing is left, and the consumer's row
goes last, so that until then it says which work there is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from apps.accounts.services import project_touch
from apps.deliveries.models import BEGINNING, Attempt, Breaker, Delivery, FanOut, Operation, TokenBucket, Turn
from apps.destinations.models import Consumer
from apps.destinations.services import consumer_forget, destinations_blank
from apps.events.models import Event
from apps.events.store import keys_forget

EVENTS = 500  # looked at in one transaction
DELIVERIES = 2_000  # deleted in one
DESTINATIONS = 100  # blanked in one


@dataclass(frozen=True, slots=True)
class Erased:
    """What one chunk did."""

    looked_at: int
    changed: int
    cursor: UUID | None  # where the next one begins; None: there is nothing left


def erase_chunk(project_id: UUID, consumer_id: UUID, cursor: UUID | None) -> Erased:
    """One chunk. A consumer that is gone has been erased."""
    consumer = Consumer.objects.filter(pk=consumer_id, project=project_id).first()
    if consumer is None:
        return Erased(0, 0, None)
    start = cursor or BEGINNING
    if done := destinations_blank(consumer=consumer, limit=DESTINATIONS):
        return Erased(done, done, start)
    return _erase_events(consumer, start) or _erase_deliveries(consumer, start) or _finish(consumer, start)


def events_of(consumer: Consumer) -> QuerySet[Event]:
    """In order of id, along the index by consumer.

    As a range, or PostgreSQL may prefer the primary key to it; and with the index's own condition, for SQLite.
    """
    theirs = Event.objects.filter(project=consumer.project_id, consumer__gte=consumer.key, consumer__lte=consumer.key)
    return theirs.exclude(consumer="").order_by("consumer", "pk")


def _erase_events(consumer: Consumer, start: UUID) -> Erased | None:
    """The first events there are: late ones may have ids of before. None: there are none."""
    events = list(events_of(consumer).only("pk", "project_id", "source", "idempotency_key")[:EVENTS])
    if not events:
        return None
    ids = _locked([event.pk for event in events])
    FanOut.objects.filter(pk__in=ids).delete()
    deliveries = _delete(Delivery.objects.filter(event__in=ids))
    if deliveries == DELIVERIES:  # there may be more: the events stay until all of them are gone
        return Erased(0, deliveries, start)
    keys_forget(events)
    Event.objects.filter(pk__in=ids).delete()
    return Erased(len(events), len(events) + deliveries, events[-1].pk)


def _locked(ids: Sequence[UUID]) -> list[UUID]:
    """Nobody replays them meanwhile. In the pruner's order."""
    rows = Event.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    return list(rows.values_list("pk", flat=True))


def _delete(rows: QuerySet[Delivery]) -> int:
    """Some of the deliveries, up to DELIVERIES, with their attempts.

    Also those in flight: what an engine holds in its hands arrives, and is written nowhere.
    """
    locked = rows.select_for_update().order_by("event_id", "destination_id")
    ids = list(locked.values_list("pk", flat=True)[:DELIVERIES])
    Attempt.objects.filter(delivery__in=ids).delete()
    Turn.objects.filter(delivery_id__in=ids).delete()
    Delivery.objects.filter(pk__in=ids).delete()
    return len(ids)


def _erase_deliveries(consumer: Consumer, start: UUID) -> Erased | None:
    """Those of events for everybody that went to its destinations: attempts hold what these answered."""
    deliveries = _delete(Delivery.objects.filter(destination__in=consumer.destinations.values("pk")))
    return Erased(deliveries, deliveries, start) if deliveries else None


def _finish(consumer: Consumer, start: UUID) -> Erased:
    """Under the project's lock no destination is made for it; what came until then is the next chunk's."""
    project_touch(consumer.project)
    if consumer.destinations.filter(deleted_at=None).exists() or events_of(consumer).exists():
        return Erased(0, 0, start)
    theirs = list(consumer.destinations.values_list("pk", flat=True))
    Breaker.objects.filter(pk__in=theirs).delete()
    TokenBucket.objects.filter(pk__in=theirs).delete()
    ended = Operation.objects.filter(project=consumer.project_id, parameters__consumer=consumer.key)
    ended.filter(finished_at__isnull=False).update(parameters={})
    consumer_forget(consumer=consumer)
    return Erased(0, 1, None)
