"""All that is kept of one consumer, as lines of JSON: a page in memory at a time, in an order that stays the same.

First the consumer and its destinations, then its events in order of id, each followed by its deliveries and their
attempts; then what else went to its destinations. Secrets, and what may hold some, are left out.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import Model, QuerySet

from apps.deliveries.erasure import events_of
from apps.deliveries.models import BEGINNING, Attempt, Delivery
from apps.destinations.models import Consumer, Destination
from apps.events.models import Event
from apps.kernel.clock import isoformat
from apps.kernel.ids import encode
from apps.kernel.walks import led_by

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
    for event in chain.from_iterable(_pages(lambda after: events_of(consumer, after), EVENT_PAGE)):
        yield _event(event)
        yield from _with_attempts(_deliveries("event_id", event.pk))
    for destination in _destinations(consumer):
        yield from _with_attempts(_of_others(page, consumer) for page in _deliveries("destination_id", destination.pk))


def _pages[M: Model](rows_after: Callable[[UUID], QuerySet[M]], size: int = PAGE) -> Iterator[list[M]]:
    after = BEGINNING
    while page := list(rows_after(after)[:size]):
        yield page
        after = page[-1].pk


def _destinations(consumer: Consumer) -> Iterator[Destination]:
    return chain.from_iterable(_pages(lambda after: consumer.destinations.filter(pk__gt=after).order_by("pk")))


def _deliveries(column: str, value: UUID) -> Iterator[list[Delivery]]:
    rows = led_by(Delivery.objects.all(), column, value)
    return _pages(lambda after: rows.filter(pk__gt=after))


def _of_others(page: list[Delivery], consumer: Consumer) -> list[Delivery]:
    """Those of events for everybody: its own events have been told with theirs."""
    events = Event.objects.filter(pk__in={one.event_id for one in page}, consumer=consumer.key)
    own = set(events.values_list("pk", flat=True))
    return [one for one in page if one.event_id not in own]


def _with_attempts(pages: Iterable[list[Delivery]]) -> Iterator[Line]:
    for page in pages:
        attempts: dict[UUID, list[Attempt]] = defaultdict(list)
        for attempt in Attempt.objects.filter(delivery__in=[one.pk for one in page]).order_by("number"):
            attempts[attempt.delivery_id].append(attempt)
        for delivery in page:
            yield _delivery(delivery)
            yield from map(_attempt, attempts[delivery.pk])


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
