"""What the engine carries: one claimed delivery, complete, so that sending looks nothing up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from apps.deliveries.models import Delivery
from apps.deliveries.payload import webhook_body
from apps.destinations.kinds import Message, Target, all_kinds
from apps.destinations.models import Destination, Secret
from apps.destinations.sealing import Unsealable
from apps.destinations.selectors import live_secrets, target_of
from apps.events.models import Event
from apps.events.selectors import events_by_id
from apps.kernel.ids import encode


class Obstacle(StrEnum):
    """Why a parcel can't be sent at all."""

    DELETED = "destination_deleted"
    EVENT_GONE = "event_gone"
    UNSEALABLE = "secrets_unreadable"
    UNKNOWN_KIND = "unknown_kind"


@dataclass(frozen=True, slots=True)
class Parcel:
    """A claimed delivery on its way."""

    delivery_id: UUID
    claim: UUID
    project_id: UUID
    destination_id: UUID
    kind: str
    event_type: str
    number: int  # of the attempt about to be made, from 1
    failures: int
    target: Target | Obstacle
    message: Message


def pack(deliveries: Iterable[Delivery]) -> list[Parcel]:
    """Parcels from claimed rows; one query for their secrets, and one for their events, each made once."""
    rows = list(deliveries)
    if not rows:
        return []
    secrets = live_secrets({row.destination_id for row in rows})
    targets = {row.destination_id: row.destination for row in rows}
    ready = {pk: _target(destination, secrets.get(pk, [])) for pk, destination in targets.items()}
    events = {event.pk: (event.type, _message(event)) for event in events_by_id({row.event_id for row in rows})}
    return [_parcel(row, ready[row.destination_id], events.get(row.event_id)) for row in rows]


def _message(event: Event) -> Message:
    body = webhook_body(event.type, event.time, bytes(event.data))
    return Message(id=event.public_id, body=body, traceparent=event.traceparent)


def _target(destination: Destination, secrets: Sequence[Secret]) -> Target | Obstacle:
    """One destination that can't be read must not stop the others."""
    if destination.deleted_at is not None:
        return Obstacle.DELETED
    if destination.kind not in all_kinds():
        return Obstacle.UNKNOWN_KIND
    if not secrets:  # it was deleted since it was claimed: nothing goes out unsigned
        return Obstacle.UNSEALABLE
    try:
        return target_of(destination, secrets)
    except Unsealable:
        return Obstacle.UNSEALABLE


def _parcel(row: Delivery, target: Target | Obstacle, event: tuple[str, Message] | None) -> Parcel:
    assert row.claim is not None  # the database's CHECK: sending rows have one
    if event is None:  # no constraint holds it: it may have been pruned
        target, event = Obstacle.EVENT_GONE, ("", Message(id=encode("evt", row.event_id), body=b""))
    event_type, message = event
    return Parcel(
        delivery_id=row.pk,
        claim=row.claim,
        project_id=row.project_id,
        destination_id=row.destination_id,
        kind=row.destination.kind,
        event_type=event_type,
        number=row.attempts + 1,
        failures=row.failures,
        target=target,
        message=message,
    )
