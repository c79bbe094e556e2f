"""Which rows an operation looks at: along an index, in order of id, so many at once however large the table.

What it was not meant for is told row by row here and not in SQL: a database that is asked for rare rows among many
may leave the index, and then each chunk reads the whole table.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from apps.deliveries.models import Delivery, Operation
from apps.deliveries.operations.parameters import Deliveries, Replay
from apps.deliveries.states import State
from apps.destinations.letters import written_to
from apps.destinations.models import Destination
from apps.events.models import Event
from apps.kernel.errors import NotFound
from apps.kernel.ids import first_id
from apps.kernel.walks import led_by

APART = timedelta(seconds=10)  # the moment in an id and that in the column are read one after the other
EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)  # before it no UUIDv7 has a time
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
MOST_LANES = 100  # destinations whose lanes are looked into one by one


class DeliverySeen(NamedTuple):
    """A delivery as far as it must be known."""

    pk: UUID
    event_id: UUID
    destination_id: UUID
    state: str
    last_error: str
    last_status_code: int | None
    created_at: datetime
    finished_at: datetime | None


class EventSeen(NamedTuple):
    """The same of an event."""

    pk: UUID
    type: str
    consumer: str
    subject: str
    received_at: datetime


def dead(operation: Operation) -> QuerySet[Delivery]:
    """The project's dead ones: few come there, and they have an index of their own."""
    return led_by(Delivery.objects.filter(state=State.DEAD), "project_id", operation.project_id)


def made(operation: Operation, asked: Deliveries) -> QuerySet[Delivery]:
    """All of a destination or of the project, from `since` on."""
    one = asked.destination_id
    rows = Delivery.objects.all()
    rows = led_by(rows, "destination_id", one) if one else led_by(rows, "project_id", operation.project_id)
    return _of_time(rows, asked.since, asked.until, operation.created_at)


def events(operation: Operation, asked: Replay) -> QuerySet[Event]:
    """Those of a consumer, of a type, or of the project, within the time."""
    rows = Event.objects.filter(project=operation.project_id)
    if consumer := asked.consumer or consumer_of(operation, asked):
        rows = led_by(rows, "consumer", consumer)
    elif asked.event_type and "*" not in asked.event_type:
        rows = led_by(rows, "type", asked.event_type)
    else:
        rows = led_by(Event.objects.all(), "project_id", operation.project_id)
    return _of_time(rows, asked.since, asked.until, operation.created_at)


def target(operation: Operation, asked: Replay) -> Destination | None:
    """The one destination it is for; raises NotFound where that was deleted meanwhile."""
    if asked.destination_id is None:
        return None
    live = Destination.objects.filter(project=operation.project_id, deleted_at=None, pk=asked.destination_id)
    found = live.select_related("consumer").first()
    if found is None:
        raise NotFound("its destination was deleted")
    return found


def consumer_of(operation: Operation, asked: Replay) -> str:
    """Whose events alone its destination may have; empty: anybody's."""
    found = target(operation, asked)
    return found.consumer.key if found and found.consumer else ""


def _of_time[R: QuerySet[Any]](rows: R, since: datetime | None, until: datetime | None, made_at: datetime) -> R:
    """A range of ids, which is a little wider than the time: who reads looks at the time, too."""
    last = min(until or LATEST, made_at)
    rows = rows.filter(pk__lt=first_id(max(last, EARLIEST) + APART))
    return rows.filter(pk__gte=first_id(max(since, EARLIEST) - APART)) if since and since < LATEST else rows


def few_waiting(operation: Operation, asked: Deliveries, most: int) -> list[DeliverySeen] | None:
    """All that are left to look at and wait, in order of id; None where more than `most` wait, or in too many lanes.

    A query for each lane, along the index that claims go by: one for all of them may read everybody's.
    """
    theirs = Destination.objects.filter(project=operation.project_id).values_list("pk", flat=True)
    lanes = [asked.destination_id] if asked.destination_id else list(theirs[: MOST_LANES + 1])
    if len(lanes) > MOST_LANES:
        return None
    found: list[DeliverySeen] = []
    for lane in lanes:
        waiting = Delivery.objects.filter(state=State.READY, destination__gte=lane, destination__lte=lane)
        in_line = waiting.order_by("destination_id", "due_at").values_list(*DeliverySeen._fields)  # as led_by() does
        found += map(DeliverySeen._make, in_line[: most + 1 - len(found)])
        if len(found) > most:
            return None
    return sorted(row for row in found if operation.cursor is None or row.pk > operation.cursor)


def deliveries_after(rows: QuerySet[Delivery], cursor: UUID | None, most: int) -> list[DeliverySeen]:
    beyond = rows.filter(pk__gt=cursor) if cursor else rows
    return list(map(DeliverySeen._make, beyond.values_list(*DeliverySeen._fields)[:most]))


def events_after(rows: QuerySet[Event], cursor: UUID | None, most: int) -> list[EventSeen]:
    beyond = rows.filter(pk__gt=cursor) if cursor else rows
    return list(map(EventSeen._make, beyond.values_list(*EventSeen._fields)[:most]))


def meant(rows: Iterable[DeliverySeen], asked: Deliveries, before: datetime) -> list[DeliverySeen]:
    """Those that were asked for, and had come there `before` the operation was made: so it comes to an end."""
    found = [row for row in rows if _fits(row, asked, before)]
    if asked.event_type is None and asked.consumer is None:
        return found
    known = Event.objects.filter(pk__in={row.event_id for row in found}).values_list("pk", "type", "consumer")
    fitting = {pk for pk, event_type, consumer in known if asked.takes(event_type, consumer)}
    return [row for row in found if row.event_id in fitting]


def _fits(row: DeliverySeen, asked: Deliveries, before: datetime) -> bool:
    came = row.finished_at or row.created_at
    in_time = (asked.since is None or asked.since <= came) and came < min(asked.until or LATEST, before)
    here = asked.destination_id in {None, row.destination_id}
    answered = asked.error in {None, row.last_error} and asked.status_code in {None, row.last_status_code}
    return in_time and here and answered


def without_letters(rows: Sequence[DeliverySeen]) -> list[DeliverySeen]:
    """Letters are sent again one by one, and counted: see apps/destinations/letters.py."""
    by_letter = written_to({row.destination_id for row in rows}) if rows else set()
    return [row for row in rows if row.destination_id not in by_letter]


def events_meant(rows: Iterable[EventSeen], asked: Replay, before: datetime) -> list[EventSeen]:
    return [row for row in rows if _is_meant(row, asked, before)]


def _is_meant(row: EventSeen, asked: Replay, before: datetime) -> bool:
    in_time = asked.since <= row.received_at < min(asked.until or LATEST, before)
    return in_time and asked.takes(row.type, row.consumer) and asked.subject in {None, row.subject}
