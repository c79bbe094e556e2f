"""All that is kept of one consumer, as lines of JSON: a page in memory at a time, in an order that stays the same.

First the consumer and its destinations, then its events in order of id, each followed by its deliveries and their
attempts; then what else went to its destinations. Secrets, and what may hold some, are left out.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import Model, QuerySet

from apps.deliveries.models import BEGINNING, Attempt, Delivery
from apps.destinations.models import Consumer, Destination
from apps.events.models import Event
from apps.events.selectors import only_for
from apps.kernel.clock import isoformat
from apps.kernel.ids import encode

PAGE = 200  # rows read at once
EVENT_PAGE = 20  # of events, whose data may be large

type Line = dict[str, Any]


def export_lines(consumer: Consumer) -> Iterator[bytes]:
    """Each with its line end. What is written meanwhile may be among them or not."""
    for line in _lines(consumer):
        yield msgspec.json.encode(line) + b"\n"


def _lines(consumer: Consumer) -> Iterator[Line]:
    yield _consumer(consumer)
    for destination in _destinations(consumer):
        yield _destination(destination)
    for events in _events(consumer):
        yield from _with_deliveries(events)
    for destination in _destinations(consumer):
        yield from _with_attempts(_of_others(page, consumer) for page in _of_destination(destination))


def _pages[M: Model](rows: QuerySet[M], column: str = "pk", size: int = PAGE) -> Iterator[list[M]]:
    """In order of the column, each page from where the one before it ended."""
    after, page = BEGINNING, None
    while page is None or len(page) == size:
        page = list(rows.filter(**{f"{column}__gt": after}).order_by(column)[:size])
        yield page
        after = getattr(page[-1], column) if page else after


def _events(consumer: Consumer) -> Iterator[list[Event]]:
    """With the condition of the index by consumer, which SQLite else passes by."""
    theirs = Event.objects.filter(project=consumer.project_id, consumer=consumer.key).exclude(consumer="")
    return _pages(only_for(theirs, consumer.key), size=EVENT_PAGE)


def _with_deliveries(events: list[Event]) -> Iterator[Line]:
    """Of few deliveries all at once; of events that very many wanted, each event's page by page."""
    rows = list(Delivery.objects.filter(event__in=events).order_by("event_id", "destination_id")[: PAGE + 1])
    few = {event_id: list(group) for event_id, group in groupby(rows, attrgetter("event_id"))}
    attempts = _attempts_of(rows) if len(rows) <= PAGE else {}
    for event in events:
        yield _event(event)
        if len(rows) <= PAGE:
            yield from _told(few.get(event.pk, []), attempts)
        else:
            yield from _with_attempts(_of_event(event))


def _destinations(consumer: Consumer) -> Iterator[Destination]:
    return chain.from_iterable(_pages(consumer.destinations.all()))


def _of_event(event: Event) -> Iterator[list[Delivery]]:
    """Along the index that lets an event go to a destination but once."""
    return _pages(Delivery.objects.filter(event=event), "destination_id")


def _of_destination(destination: Destination) -> Iterator[list[Delivery]]:
    return _pages(Delivery.objects.filter(destination=destination))


def _of_others(page: list[Delivery], consumer: Consumer) -> list[Delivery]:
    """Those of events for everybody: its own events have been told with theirs."""
    events = Event.objects.filter(pk__in={one.event_id for one in page}, consumer=consumer.key)
    own = set(only_for(events, consumer.key).values_list("pk", flat=True))
    return [one for one in page if one.event_id not in own]


def _with_attempts(pages: Iterable[list[Delivery]]) -> Iterator[Line]:
    for page in pages:
        yield from _told(page, _attempts_of(page))


def _attempts_of(deliveries: list[Delivery]) -> dict[UUID, list[Attempt]]:
    found: dict[UUID, list[Attempt]] = defaultdict(list)
    if deliveries:
        for attempt in Attempt.objects.filter(delivery__in=deliveries).order_by("number"):
            found[attempt.delivery_id].append(attempt)
    return found


def _told(deliveries: Iterable[Delivery], attempts: Mapping[UUID, list[Attempt]]) -> Iterator[Line]:
    for delivery in deliveries:
        yield _delivery(delivery)
        yield from map(_attempt, attempts.get(delivery.pk, ()))


def _consumer(consumer: Consumer) -> Line:
    named = {"id": consumer.public_id, "key": consumer.key, "name": consumer.name}
    return {"object": "consumer", **named, "created_at": isoformat(consumer.created_at)}


def _destination(destination: Destination) -> Line:
    plain = ("name", "kind", "summary", "event_types", "filter", "transform", "ordering", "status")
    return {
        "object": "destination",
        "id": destination.public_id,
        **{name: getattr(destination, name) for name in plain},
        "created_at": isoformat(destination.created_at),
        "deleted_at": isoformat(destination.deleted_at) if destination.deleted_at else None,
    }


def _event(event: Event) -> Line:
    plain = ("type", "source", "subject", "consumer", "ordering_key", "idempotency_key", "traceparent", "extensions")
    return {
        "object": "event",
        "id": event.public_id,
        **{name: getattr(event, name) for name in plain},
        "time": isoformat(event.time),
        "received_at": isoformat(event.received_at),
        "erased_at": isoformat(event.erased_at) if event.erased_at else None,
        "data": msgspec.Raw(bytes(event.data) or b"null"),
    }


def _delivery(delivery: Delivery) -> Line:
    plain = ("state", "reason", "last_status_code", "last_error")
    return {
        "object": "delivery",
        "id": delivery.public_id,
        "event": encode("evt", delivery.event_id),
        "destination": encode("dst", delivery.destination_id),
        **{name: getattr(delivery, name) for name in plain},
        "created_at": isoformat(delivery.created_at),
        "finished_at": isoformat(delivery.finished_at) if delivery.finished_at else None,
    }


def _attempt(attempt: Attempt) -> Line:
    plain = ("number", "outcome", "status_code", "error", "detail", "duration_ms")
    return {
        "object": "attempt",
        "id": attempt.public_id,
        "delivery": encode("dlv", attempt.delivery_id),
        **{name: getattr(attempt, name) for name in plain},
        "response_body": bytes(attempt.response_body).decode(errors="replace"),
        "started_at": isoformat(attempt.started_at),
    }
