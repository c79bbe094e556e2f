"""New deliveries as rows: made by the intake with their event, and by the engine for events that many want."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from apps.deliveries.models import Delivery
from apps.deliveries.states import State
from apps.deliveries.store import join_lines
from apps.events.store import EventRow
from apps.kernel import bulk
from apps.kernel.ids import new_uuid


class DeliveryRow(NamedTuple):
    """A delivery about to be inserted; the fields are the columns."""

    id: UUID
    project_id: UUID
    event_id: UUID
    destination_id: UUID
    due_at: datetime
    created_at: datetime
    state: str = State.READY.value
    reason: str = ""
    attempts: int = 0
    failures: int = 0
    last_status_code: int | None = None
    last_error: str = ""
    claim: UUID | None = None
    lease_until: datetime | None = None
    finished_at: datetime | None = None


def rows_for(event: EventRow, destination_ids: Iterable[UUID]) -> list[DeliveryRow]:
    """One for each destination, due at once."""
    due = event.received_at
    return [DeliveryRow(new_uuid(), event.project_id, event.id, one, due, due) for one in destination_ids]


def deliveries_insert(rows: Sequence[DeliveryRow], ordering_keys: Mapping[UUID, str]) -> None:
    """In the caller's transaction, in the order in which ordered destinations are to get them.

    `ordering_keys` by event. Raises IntegrityError where the event goes to one of the destinations already.
    """
    bulk.insert(Delivery, DeliveryRow._fields, rows)
    if rows:
        join_lines(rows, ordering_keys)
