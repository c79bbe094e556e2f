"""What the engine reads and writes, as plain values: on the hot path there are no model instances."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from apps.deliveries.states import Edge


class Claimed(NamedTuple):
    """A delivery that is held now, with its event: `event_type` is None where that is gone."""

    id: UUID
    claim: UUID
    project_id: UUID
    event_id: UUID
    destination_id: UUID
    attempts: int
    failures: int
    created_at: datetime
    due_at: datetime  # as it was when it was claimed
    event_type: str | None
    time: datetime | None
    data: bytes | None  # None also where it was left behind for want of room
    traceparent: str | None


class Tried(NamedTuple):
    """One attempt, as it is kept."""

    number: int
    status_code: int | None
    error: str
    detail: str
    response_body: bytes
    started_at: datetime
    duration_ms: int


class Settlement(NamedTuple):
    """What became of one delivery that was claimed, ready to be written."""

    delivery_id: UUID
    claim: UUID
    edge: Edge
    due_at: datetime | None  # where it goes back to ready
    attempt: Tried | None  # None when nothing was tried: interrupted, cancelled before it was sent


class Look(NamedTuple):
    """Where deliveries are due, of the destinations that were looked at."""

    due: list[UUID]
    reached: UUID | None  # the last that was looked at, where there are more; None at the end
