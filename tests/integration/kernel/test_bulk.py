"""Rows in sets, as each database takes them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from apps.deliveries.models import Attempt
from apps.events.models import Event
from apps.kernel import bulk
from apps.kernel.ids import new_uuid

pytestmark = pytest.mark.django_db

EVENT = {
    "id": None,
    "project_id": None,
    "type": "invoice.paid",
    "source": "café \t\\N\n",
    "subject": "",
    "time": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    "data": b'{"a": "\\u0000 \xc3\xa9"}',
    "consumer": "",
    "ordering_key": "",
    "idempotency_key": "",
    "schema_version": None,
    "traceparent": "",
    "extensions": {"n": "ünï"},
    "received_at": datetime(2026, 1, 2, tzinfo=UTC),
}


def event(**changes: Any) -> dict[str, Any]:
    return {**EVENT, "id": new_uuid(), "project_id": new_uuid(), **changes}


def insert(*rows: dict[str, Any]) -> None:
    bulk.insert(Event, tuple(EVENT), [tuple(row.values()) for row in rows])


def test_every_column_comes_back_as_it_went() -> None:
    rows = [event(schema_version=n or None, data=b"x" * n) for n in range(700)]
    insert(*rows)
    found = Event.objects.in_bulk([row["id"] for row in rows])
    for row in rows:
        kept = {name: getattr(found[row["id"]], name) for name in EVENT}
        assert {**kept, "data": bytes(kept["data"])} == row


def test_small_numbers_and_nothing() -> None:
    moment = datetime(2026, 1, 2, tzinfo=UTC) + timedelta(microseconds=1)
    columns = ("id", "delivery_id", "number", "outcome", "status_code", "error", "detail", "response_body")
    row = (new_uuid(), new_uuid(), 1, "succeeded", 200, "", "", b"\x00ok", moment, 7)
    bulk.insert(Attempt, (*columns, "started_at", "duration_ms"), [row])
    bulk.insert(Attempt, (*columns, "started_at", "duration_ms"), [])
    kept = Attempt.objects.get(pk=row[0])
    assert (kept.status_code, bytes(kept.response_body), kept.started_at) == (200, b"\x00ok", moment)


def test_a_set_is_all_or_nothing() -> None:
    first = event()
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(first, event(), event(id=first["id"]))
    assert not Event.objects.exists()
