"""What the engine carries: one claimed delivery, complete, so that sending looks nothing up."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from math import inf
from typing import NamedTuple
from uuid import UUID

import structlog
from msgspec import MsgspecError

from apps.deliveries.payload import WITH_ATTRIBUTES, message_of
from apps.deliveries.policy.terms import DEFAULT, Terms, terms_of
from apps.deliveries.store import Claimed, begun_again
from apps.destinations.kinds import Attributes, Event, Message, Target, all_kinds
from apps.destinations.letters import MOST_ADDRESSES_IN_AN_HOUR
from apps.destinations.policy import PayloadFormat, Policy
from apps.destinations.sealing import Unsealable
from apps.destinations.store import SealedTarget, opened, sealed_targets
from apps.events.store import attributes_of
from apps.kernel.errors import Invalid
from apps.kernel.ids import encode

log = structlog.get_logger("trunkline.engine")


class Obstacle(StrEnum):
    """Why a parcel can't be sent at all."""

    DELETED = "destination_deleted"
    EVENT_GONE = "event_gone"
    UNSEALABLE = "secrets_unreadable"
    UNKNOWN_KIND = "unknown_kind"
    UNREADABLE = "destination_unreadable"
    TOO_MANY_LETTERS = "too_many_letters"  # of its project, in this hour

    @property
    def detail(self) -> str:
        if self is Obstacle.TOO_MANY_LETTERS:
            return f"letters of the project went to {MOST_ADDRESSES_IN_AN_HOUR} addresses this hour: no more may go"
        return "the destination can't be sent to"


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
    terms: Terms = DEFAULT
    until: datetime | None = None  # no attempt is made after this one, once it would be later
    send_by: float = inf  # by the monotonic clock: later its lease might end before its attempt does


class Course(NamedTuple):
    """Where to and how, of all events of one type to one destination."""

    kind: str
    target: Target | Obstacle
    terms: Terms


type TypePolicies = Mapping[tuple[UUID, str], Policy]  # by project and name of the event type

NONE: TypePolicies = {}


def pack(rows: Iterable[Claimed], type_policies: TypePolicies = NONE) -> list[Parcel]:
    """Parcels from claimed rows; two queries for where they go, and one more where a format shows all of an event.

    Messages are made once for each event and format.
    """
    claimed = list(rows)
    if not claimed:
        return []
    sealed = sealed_targets({row.destination_id for row in claimed})
    courses = {pk: _course(_target(pk, one), one.kind, None) for pk, one in sealed.items()}
    formats = _formats(courses)
    shown = _attributes(claimed, courses)
    messages: dict[object, Message | None] = {}
    parcels = []
    for row in claimed:
        form = formats.get(row.destination_id) if formats else None
        key = (row.event_id, form) if form else row.event_id
        if key not in messages:
            messages[key] = _message(row, form or PayloadFormat.STANDARD, shown)
        parcels.append(_parcel(row, courses.get(row.destination_id, LOST), messages[key]))
    if type_policies:
        _set_by_type(parcels, type_policies)
    _set_ages(parcels, claimed)
    return parcels


def _course(target: Target | Obstacle, kind: str, event_type: Policy | None) -> Course:
    if isinstance(target, Obstacle):
        return Course(kind, target, DEFAULT)
    terms = terms_of(target.policy, event_type)
    return Course(kind, target if target.timeout == terms.timeout else replace(target, timeout=terms.timeout), terms)


LOST = Course("", Obstacle.DELETED, DEFAULT)


def _set_by_type(parcels: Iterable[Parcel], type_policies: TypePolicies) -> None:
    """What their event types say, where their destinations don't."""
    courses: dict[tuple[UUID, str], Course] = {}
    for one in parcels:
        if policy := type_policies.get((one.project_id, one.event_type)):
            key = (one.destination_id, one.event_type)
            if key not in courses:
                courses[key] = _course(one.target, one.kind, policy)
            _, one.target, one.terms = courses[key]


def _set_ages(parcels: list[Parcel], rows: list[Claimed]) -> None:
    """Until when each is tried, where that has an end: since it was made or replayed.

    A delivery that never failed since then is due at that moment. One whose attempts all failed was never replayed.
    Of the others the first attempt after the replay says when that was: the only ones that cost a query.
    """
    bound = [(one, row) for one, row in zip(parcels, rows, strict=True) if one.terms.max_age is not None]
    replayed = {row.id: row.attempts - row.failures + 1 for _, row in bound if 0 < row.failures < row.attempts}
    first = begun_again(replayed) if replayed else {}
    for one, row in bound:
        since = first.get(row.id, row.created_at) if row.failures else row.due_at
        one.until = since + one.terms.max_age if one.terms.max_age else None


def _formats(courses: Mapping[UUID, Course]) -> dict[UUID, PayloadFormat]:
    """Of the destinations that ask for another format than the standard one."""
    return {
        pk: target.policy.payload_format
        for pk, (_, target, _) in courses.items()
        if isinstance(target, Target) and target.policy.payload_format
    }


def _attributes(claimed: Sequence[Claimed], courses: Mapping[UUID, Course]) -> dict[UUID, Attributes]:
    """By event, for those that need them: the claim itself leaves them where they are."""
    showing = {pk for pk, one in courses.items() if isinstance(one.target, Target) and _shows_all(one.target)}
    if not showing:
        return {}
    wanted = {row.event_id for row in claimed if row.destination_id in showing}
    return {pk: Attributes(*values) for pk, values in attributes_of(wanted).items()} if wanted else {}


def _shows_all(target: Target) -> bool:
    return target.transform is not None or target.policy.payload_format in WITH_ATTRIBUTES


def _message(row: Claimed, form: PayloadFormat, shown: Mapping[UUID, Attributes]) -> Message | None:
    """None where the event is gone: no constraint holds it, and it, or its data, may have been pruned."""
    if row.event_type is None or row.time is None or not row.data:
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
    if (kind := all_kinds().get(sealed.kind)) is None:
        return Obstacle.UNKNOWN_KIND
    if kind.signs and not sealed.secrets:  # it was deleted since it was claimed: nothing goes out unsigned
        return Obstacle.UNSEALABLE
    try:
        return opened(destination_id, sealed)
    except Unsealable:
        return Obstacle.UNSEALABLE
    except (MsgspecError, Invalid, ValueError, KeyError) as error:  # a newer release wrote it, or somebody by hand
        log.error("destination.unreadable", destination_id=encode("dst", destination_id), error=type(error).__name__)
        return Obstacle.UNREADABLE


def _parcel(row: Claimed, course: Course, message: Message | None) -> Parcel:
    kind, target, terms = course
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
        terms,
    )
