"""What the engine carries: one claimed delivery, complete, so that sending looks nothing up."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from apps.deliveries.payload import WITH_ATTRIBUTES, message_of
from apps.deliveries.store import Claimed
from apps.destinations.kinds import Attributes, Event, Message, Target, all_kinds
from apps.destinations.policy import PayloadFormat
from apps.destinations.sealing import Unsealable
from apps.destinations.store import SealedTarget, opened, sealed_targets
from apps.events.store import attributes_of
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
    """Parcels from claimed rows; two queries for where they go, and one more where a format shows all of an event.

    Messages are made once for each event and format.
    """
    claimed = list(rows)
    if not claimed:
        return []
    sealed = sealed_targets({row.destination_id for row in claimed})
    targets = {pk: (one.kind, _target(pk, one)) for pk, one in sealed.items()}
    formats = _formats(targets)
    shown = _attributes(claimed, targets)
    messages: dict[object, Message | None] = {}
    parcels = []
    for row in claimed:
        form = formats.get(row.destination_id) if formats else None
        key = (row.event_id, form) if form else row.event_id
        if key not in messages:
            messages[key] = _message(row, form or PayloadFormat.STANDARD, shown)
        parcels.append(_parcel(row, targets, messages[key]))
    return parcels


def _formats(targets: Mapping[UUID, tuple[str, Target | Obstacle]]) -> dict[UUID, PayloadFormat]:
    """Of the destinations that ask for another format than the standard one."""
    return {
        pk: target.policy.payload_format
        for pk, (_, target) in targets.items()
        if isinstance(target, Target) and target.policy.payload_format
    }


def _attributes(
    claimed: Sequence[Claimed], targets: Mapping[UUID, tuple[str, Target | Obstacle]]
) -> dict[UUID, Attributes]:
    """By event, for those that need them: the claim itself leaves them where they are."""
    showing = {pk for pk, (_, target) in targets.items() if isinstance(target, Target) and _shows_all(target)}
    if not showing:
        return {}
    wanted = {row.event_id for row in claimed if row.destination_id in showing}
    return {pk: Attributes(*values) for pk, values in attributes_of(wanted).items()} if wanted else {}


def _shows_all(target: Target) -> bool:
    return target.transform is not None or target.policy.payload_format in WITH_ATTRIBUTES


def _message(row: Claimed, form: PayloadFormat, shown: Mapping[UUID, Attributes]) -> Message | None:
    """None where the event is gone: no constraint holds it, and it may have been pruned."""
    if row.event_type is None or row.time is None or row.data is None:
        return None
    attributes = shown.get(row.event_id)
    if attributes is None and form in WITH_ATTRIBUTES:
        return None  # pruned since it was claimed
    event = Event(
        encode("evt", row.event_id), row.event_type, row.time, row.project_id, row.traceparent or "", attributes
    )
    return message_of(form, event, row.data)


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
