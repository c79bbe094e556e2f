"""What the engine carries: one claimed delivery, complete, so that sending looks nothing up."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from apps.deliveries.payload import webhook_body
from apps.deliveries.store import Claimed
from apps.destinations.kinds import Message, Target, all_kinds
from apps.destinations.sealing import Unsealable
from apps.destinations.store import SealedTarget, opened, sealed_targets
from apps.kernel.ids import encode


class Obstacle(StrEnum):
    """Why a parcel can't be sent at all."""

    DELETED = "destination_deleted"
    EVENT_GONE = "event_gone"
    UNSEALABLE = "secrets_unreadable"
    UNKNOWN_KIND = "unknown_kind"


@dataclass(slots=True, eq=False)  # not frozen, which doubles what making one costs; never changed all the same
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


def pack(rows: Iterable[Claimed]) -> list[Parcel]:
    """Parcels from claimed rows; two queries for where they go. Events' messages are made once each."""
    claimed = list(rows)
    if not claimed:
        return []
    sealed = sealed_targets({row.destination_id for row in claimed})
    targets = {pk: (one.kind, _target(pk, one)) for pk, one in sealed.items()}
    messages: dict[UUID, Message | None] = {}
    for row in claimed:
        if row.event_id not in messages:
            messages[row.event_id] = _message(row)
    return [_parcel(row, targets, messages[row.event_id]) for row in claimed]


def _message(row: Claimed) -> Message | None:
    """None where the event is gone: no constraint holds it, and it, or its data, may have been pruned."""
    if row.event_type is None or row.time is None or not row.data:
        return None
    body = webhook_body(row.event_type, row.time, row.data)
    return Message(id=encode("evt", row.event_id), body=body, traceparent=row.traceparent or "")


def _target(destination_id: UUID, sealed: SealedTarget) -> Target | Obstacle:
    """One destination that can't be read must not stop the others."""
    if sealed.deleted:
        return Obstacle.DELETED
    if sealed.kind not in all_kinds():
        return Obstacle.UNKNOWN_KIND
    if not sealed.secrets:  # it was deleted since it was claimed: nothing goes out unsigned
        return Obstacle.UNSEALABLE
    try:
        return opened(destination_id, sealed)
    except Unsealable:
        return Obstacle.UNSEALABLE


def _parcel(row: Claimed, targets: Mapping[UUID, tuple[str, Target | Obstacle]], message: Message | None) -> Parcel:
    kind, target = targets.get(row.destination_id, ("", Obstacle.DELETED))
    if message is None:
        target, message = Obstacle.EVENT_GONE, Message(id=encode("evt", row.event_id), body=b"")
    return Parcel(
        row.id,
        row.claim,
        row.project_id,
        row.destination_id,
        kind,
        row.event_type or "",
        row.attempts + 1,
        row.failures,
        target,
        message,
    )
