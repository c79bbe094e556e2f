"""A chunk of an erasure: of the consumer's events with all that belongs to them, of its destinations, or itself.

Each chunk does the first thing that is left to do, in the caller's transaction: a process may die at any line, and
whatever comes for the consumer meanwhile is found by a later one. It ends when nothing is left, and the consumer's row
goes last, so that until then it says which work there is.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from apps.accounts.services import project_touch
from apps.audit.services import SYSTEM, audit_blank_words, audit_record
from apps.deliveries.models import (
    Attempt,
    Breaker,
    Delivery,
    FanOut,
    Operation,
    OperationState,
    TokenBucket,
    Turn,
)
from apps.deliveries.operations.chunk import Chunk
from apps.deliveries.operations.parameters import EraseConsumer
from apps.destinations.models import Consumer
from apps.destinations.selectors import destinations_to_blank
from apps.destinations.services import consumer_forget, consumer_mark, destinations_blank
from apps.events.models import Event
from apps.events.selectors import only_for
from apps.events.store import keys_forget
from apps.kernel.clock import now

EVENTS = 500  # looked at in one transaction
DELIVERIES = 1_000  # deleted in one
DESTINATIONS = 100  # blanked in one
ENTRIES = 2_000  # of the audit trail looked at in one


def erase(operation: Operation, asked: EraseConsumer) -> Chunk:
    """One chunk. A consumer that is gone has been erased."""
    consumer = Consumer.objects.filter(pk=asked.consumer_pk, project=operation.project_id).first()
    if consumer is None:
        return Chunk(0, 0, operation.cursor, ended=True)
    cursor = operation.cursor  # the last entry of the audit trail that was looked at; all else needs none
    if done := destinations_blank(consumer=consumer, limit=DESTINATIONS):
        return Chunk(done, done, cursor)
    return _erase_events(consumer, cursor) or _erase_deliveries(consumer, cursor) or _finish(consumer, cursor)


def call_off(operation: Operation, asked: EraseConsumer) -> None:
    """It ended before its work was done: the consumer may be deleted again, or erased by another one."""
    consumer_mark(consumer_id=asked.consumer_pk, being_erased=False)


def counted(consumer: Consumer, most: int) -> int:
    """What there is to look at, up to a little more than `most`: its events, its destinations, and itself."""
    return 1 + consumer.destinations.count() + events_of(consumer)[:most].count()


def events_of(consumer: Consumer) -> QuerySet[Event]:
    """In order of id, along the index by consumer.

    As a range, or PostgreSQL may prefer the primary key to it; and with the index's own condition, for SQLite.
    """
    theirs = Event.objects.filter(project=consumer.project_id, consumer__gte=consumer.key, consumer__lte=consumer.key)
    return only_for(theirs.exclude(consumer="").order_by("consumer", "pk"), consumer.key)


def _erase_events(consumer: Consumer, cursor: UUID | None) -> Chunk | None:
    """The first events there are: late ones may have ids of before. None: there are none."""
    events = list(events_of(consumer).only("pk", "project_id", "source", "idempotency_key")[:EVENTS])
    if not events:
        return None
    ids = _locked([event.pk for event in events])
    FanOut.objects.filter(pk__in=ids).delete()
    deliveries = _delete(Delivery.objects.filter(event__in=ids))
    if deliveries == DELIVERIES:  # there may be more: the events stay until all of them are gone
        return Chunk(0, deliveries, cursor)
    keys_forget(events)
    Event.objects.filter(pk__in=ids).delete()
    return Chunk(len(events), len(events) + deliveries, cursor)


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


def _erase_deliveries(consumer: Consumer, cursor: UUID | None) -> Chunk | None:
    """Those of events for everybody that went to its destinations: attempts hold what these answered."""
    deliveries = _delete(Delivery.objects.filter(destination__in=consumer.destinations.values("pk")))
    return Chunk(0, deliveries, cursor) if deliveries else None


def _finish(consumer: Consumer, cursor: UUID | None) -> Chunk:
    """Under the project's lock no destination is made for it; what came until then is the next chunk's.

    The lock is the whole project's: of its audit trail, too, one chunk looks at so many entries only.
    """
    project_touch(consumer.project)
    if destinations_to_blank(consumer).exists() or events_of(consumer).exists():
        return Chunk(1, 0, cursor)  # it looked whether there is more
    words = {"key": consumer.key, "consumer": consumer.key}
    if last := audit_blank_words(project_id=consumer.project_id, words=words, after=cursor, limit=ENTRIES):
        return Chunk(1, 0, last)
    theirs = list(consumer.destinations.values_list("pk", flat=True))
    Breaker.objects.filter(pk__in=theirs).delete()
    TokenBucket.objects.filter(pk__in=theirs).delete()
    _blank_operations(consumer)
    consumer_forget(consumer=consumer)
    return Chunk(1, 1, cursor, ended=True)


def _blank_operations(consumer: Consumer) -> None:
    """Those that name its key have nothing more to do, and their parameters go."""
    naming = Operation.objects.filter(project=consumer.project_id, parameters__consumer=consumer.key)
    found = [row for row in naming.order_by("pk").select_for_update() if row.parameters["consumer"] == consumer.key]
    moment, why = now(), "its consumer was erased"
    for row in found:
        if row.finished_at is None:
            row.state, row.error, row.finished_at, row.updated_at = OperationState.CANCELLED, why, moment, moment
            about: dict[str, Any] = {"target": row.public_id, "project_id": row.project_id}
            audit_record(actor=SYSTEM, action="operation.cancelled", changes={"error": why}, **about)
        row.parameters = {}
        row.save(update_fields=["parameters", "state", "error", "finished_at", "updated_at"])
