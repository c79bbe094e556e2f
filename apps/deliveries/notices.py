"""Operational events: what Trunkline itself says of a project's destinations, as events of that project.

They are rows like all others, delivered and retried like all others, to destinations that are `operational` and get
nothing else. Whoever calls `notify` does it in the transaction that writes what is told: there are both, or neither.
What each event holds is in docs/reference/operational-events.md.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
import structlog
from django.conf import settings
from django.db import transaction

from apps.deliveries.inserts import deliveries_insert, rows_for
from apps.deliveries.wakeups import announce
from apps.destinations.models import Destination
from apps.destinations.patterns import compile_patterns
from apps.destinations.selectors import operational_rows
from apps.events.models import OPERATIONAL
from apps.events.store import EventRow, KeyClaim, events_insert, key_hash, keys_claim
from apps.kernel.clock import isoformat, now
from apps.kernel.ids import encode, new_uuid

log = structlog.get_logger("trunkline.deliveries")

FAILING, DISABLED, RECOVERED = "destination.failing", "destination.disabled", "destination.recovered"
DEAD = "delivery.dead"
MOST_NAMED = 10  # dead deliveries in one event
MINUTE = 60  # seconds, in which a destination's dead deliveries make two events at most


@dataclass(frozen=True)
class Notice:
    """Something to be told of a destination; `data` without the destination's own facts, which are added.

    Of DEAD there is one for each delivery, with what the reference says of one; those of a destination go together.
    """

    project_id: UUID
    type: str
    destination_id: UUID
    data: Mapping[str, Any]


@dataclass(frozen=True)
class _Told:
    """A notice that somebody wants, on its way to become an event."""

    notice: Notice
    about: Destination
    to: list[UUID]
    event_id: UUID = field(default_factory=new_uuid)


def notify(notices: Sequence[Notice]) -> None:
    """Write each as an event with its deliveries, where an operational destination wants it, and log it in any case.

    In the transaction of the cause, always. Nothing is told of operational destinations: they would tell of themselves
    without end.
    """
    if not notices:
        return
    about = _subjects({one.destination_id for one in notices})
    known = _gathered([one for one in notices if one.destination_id in about])
    wishes = operational_rows({one.project_id for one in known})
    told = [_Told(one, about[one.destination_id], _wanting(one, about[one.destination_id], wishes)) for one in known]
    transaction.on_commit(partial(_log, told), robust=True)
    wanted = [one for one in told if one.to]
    _write([one for one in wanted if one.notice.type != DEAD], due=None)
    _write_paced([one for one in wanted if one.notice.type == DEAD])


def _gathered(notices: Iterable[Notice]) -> list[Notice]:
    """The dead deliveries of one destination as one notice, which counts them and names the first."""
    others: list[Notice] = []
    died: dict[UUID, list[Notice]] = defaultdict(list)
    for one in notices:
        (died[one.destination_id] if one.type == DEAD else others).append(one)
    return [*others, *(replace(some[0], data=_counted(some)) for some in died.values())]


def _counted(died: Sequence[Notice]) -> dict[str, Any]:
    return {"count": len(died), "deliveries": [one.data for one in died[:MOST_NAMED]], "more_until": None}


def _subjects(destination_ids: Iterable[UUID]) -> dict[UUID, Destination]:
    rows = Destination.objects.filter(pk__in=list(destination_ids), operational=False, deleted_at=None)
    return {row.pk: row for row in rows.select_related("consumer")}


def _wanting(
    notice: Notice, about: Destination, wishes: Iterable[tuple[UUID, UUID, UUID | None, list[str]]]
) -> list[UUID]:
    """Those of the whole project, and those of the consumer whose destination it is."""
    return [
        pk
        for project_id, pk, consumer_id, patterns in wishes
        if project_id == notice.project_id
        and consumer_id in {None, about.consumer_id}
        and compile_patterns(patterns).fullmatch(notice.type)
    ]


def _write_paced(told: Sequence[_Told]) -> None:
    """A million dead deliveries must not make a million e-mails.

    Of each destination the first set in a minute is told at once, and the next one when the minute is over, for it and
    all that die until then. Who is first, engines find out as publishers of one idempotency key do.
    """
    if not told:
        return
    minute = int(now().timestamp()) // MINUTE
    first, others = _claimed(told, minute, "first")
    _write(first, due=None)
    rest, _ = _claimed(others, minute, "rest")
    _write(rest, due=datetime.fromtimestamp((minute + 1) * MINUTE, UTC))


def _claimed(told: Sequence[_Told], minute: int, place: str) -> tuple[list[_Told], list[_Told]]:
    """Those whose place in this minute was free, and the others."""
    keys = {one.event_id: _key(one, minute, place) for one in told}
    held = keys_claim([KeyClaim(keys[one.event_id], one.event_id, b"") for one in told]) if told else {}
    won = {one.event_id for one in told if held[keys[one.event_id]].event_id == one.event_id}
    return [one for one in told if one.event_id in won], [one for one in told if one.event_id not in won]


def _key(one: _Told, minute: int, place: str) -> UUID:
    way = ("operational", one.notice.type, one.notice.destination_id.hex, str(minute), place)
    return key_hash(one.notice.project_id, way)


def _write(told: Sequence[_Told], *, due: datetime | None) -> None:
    if not told:
        return
    more = {"more_until": isoformat(due)} if due else {}
    events = [_event(one, more) for one in told]
    events_insert(events)
    rows = [row for event, one in zip(events, told, strict=True) for row in rows_for(event, one.to)]
    lines = {event.id: event.ordering_key for event in events}
    deliveries_insert([row._replace(due_at=due) for row in rows] if due else rows, lines)
    announce(row.destination_id for row in rows)


def _event(one: _Told, more: Mapping[str, Any]) -> EventRow:
    moment, about = now(), one.about
    return EventRow(
        id=one.event_id,
        project_id=one.notice.project_id,
        type=one.notice.type,
        time=moment,
        data=msgspec.json.encode({"destination": _facts(about), **one.notice.data, **more}),
        received_at=moment,
        source=OPERATIONAL,
        subject=about.public_id,
        consumer=about.consumer.key if about.consumer else "",
        ordering_key=about.public_id,
    )


def _facts(about: Destination) -> dict[str, Any]:
    """What a receiver can tell it by."""
    facts = {
        "id": about.public_id,
        "name": about.name,
        "kind": about.kind,
        "summary": about.summary,
        "consumer": about.consumer.key if about.consumer else None,
        "status": about.status,
    }
    if settings.PUBLIC_URL:
        facts["admin_url"] = f"{settings.PUBLIC_URL}/admin/destinations/destination/{about.pk}/change/"
    return facts


def _log(told: Sequence[_Told]) -> None:
    for one in told:
        log.info(
            "operational.notice",
            project_id=encode("prj", one.notice.project_id),
            destination_id=one.about.public_id,
            type=one.notice.type,
            subscribers=len(one.to),
            data=dict(one.notice.data),
        )
