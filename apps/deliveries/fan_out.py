"""An event that very many destinations want: accepted at once, and its deliveries made by the engines in chunks.

So, too, one that filters must be asked about which may take long: those who wait for the intake don't wait for them.
The intake writes one FanOut with the event instead of its deliveries, and so does who replays such an event. Each chunk
is a transaction that inserts deliveries and moves the cursor past them, so a process may die at any line: either both
happened or neither. Where no worker takes a filter at the moment, the chunk is undone and it is the next one's turn.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction

from apps.deliveries import store
from apps.deliveries.inserts import DeliveryRow, deliveries_insert
from apps.deliveries.models import BEGINNING, Delivery, FanOut
from apps.deliveries.states import Edge
from apps.deliveries.wakeups import announce, announce_any
from apps.destinations.routing.matching import BlindJudge, Judging, Matched, PatientJudge, Subscription
from apps.destinations.routing.subject import Subject
from apps.destinations.routing.telemetry import count_failures
from apps.destinations.routing.workers import Unavailable
from apps.destinations.selectors import subscriptions_after
from apps.events.models import Event
from apps.events.store import EventRow
from apps.kernel import bulk
from apps.kernel.clock import now
from apps.kernel.contention import retried
from apps.kernel.ids import encode, new_uuid

log = structlog.get_logger("trunkline.fan_outs")

INLINE = 100  # destinations whose deliveries the intake makes itself
CHUNK = 1_000  # subscriptions looked at in one transaction
PATIENCE = 1.0  # seconds that filters are evaluated in one transaction, and the last of them to its end
SKEW = timedelta(minutes=1)  # between clocks: who was there when the event came must get it, who came just after may
PASS_OVER = 30.0  # seconds since the last one that could not get on, after which it is tried again at the latest
COLUMNS = ("event_id", "project_id", "type", "consumer", "received_at", "cursor", "replayed")


def fan_outs_insert(events: Sequence[EventRow]) -> None:
    """Leave the deliveries of these events to the engines. In the intake's transaction."""
    if events:
        rows = [(one.id, one.project_id, one.type, one.consumer, one.received_at, None, False) for one in events]
        bulk.insert(FanOut, COLUMNS, rows)
        announce_any()


def fan_out_again(event: Event) -> None:
    """Have the engines replay the event to all that want it now. In the caller's transaction.

    Where they are at it still, they begin anew: each destination then has been sent it after this moment.
    """
    asked = {"type": event.type, "consumer": event.consumer, "received_at": now(), "cursor": None, "replayed": True}
    FanOut.objects.update_or_create(event=event, defaults={**asked, "project_id": event.project_id})
    announce_any()


def expand_next() -> int | None:
    """One chunk of the oldest fan-out that no other engine is at: how many deliveries it made; None if there is none.

    Few have deliveries already: events with filters, of which the intake made those that it could decide, and some that
    were replayed to a destination before their fan-out came to it. So that is looked at only where filters are asked,
    or the database has refused to make a delivery twice; should it happen at this very moment, the next call does it.
    """
    try:
        return _expanded(look=False)
    except IntegrityError:
        pass
    try:
        return _expanded(look=True)
    except IntegrityError:
        return 0


class _Stuck(Exception):
    """A chunk could not be done for now; its transaction is undone."""

    def __init__(self, pk: UUID, why: str) -> None:
        super().__init__(why)
        self.pk = pk


class _Passed:
    """The last fan-out that could not get on in this process: those after it come first.

    When there are none, or after a while, it is the oldest again. Kept in memory: it is only about whose turn it is.
    """

    def __init__(self) -> None:
        self._last, self._at = BEGINNING, 0.0

    def add(self, pk: UUID) -> None:
        self._last, self._at = pk, monotonic()

    def forget(self) -> None:
        self._last = BEGINNING

    @property
    def last(self) -> UUID:
        return self._last if monotonic() - self._at < PASS_OVER else BEGINNING


_passed = _Passed()


def _expanded(*, look: bool) -> int | None:
    try:
        made = retried(lambda: _expand(_passed.last, look=look))
    except _Stuck as stuck:
        _passed.add(stuck.pk)
        log.warning("fan_out.postponed", event_id=encode("evt", stuck.pk), error=str(stuck))
        return 0
    if made is None:
        _passed.forget()
    return made


@transaction.atomic
def _expand(after: UUID, *, look: bool) -> int | None:
    row = FanOut.objects.select_for_update(skip_locked=True).filter(pk__gt=after).order_by("pk").first()
    if row is None:
        return None
    found = subscriptions_after(
        row.project_id, row.cursor, consumer=row.consumer, made_by=row.received_at + SKEW, limit=CHUNK
    )
    try:
        wanting, looked_at, is_judged = _wanting(row, found)
    except Unavailable as trouble:
        raise _Stuck(row.pk, str(trouble)) from trouble
    made = _deliver(row, wanting, look=look or is_judged or row.replayed)
    if len(found) < CHUNK and looked_at == len(found):
        row.delete()
    else:
        FanOut.objects.filter(pk=row.pk).update(cursor=found[looked_at - 1].destination_id)
    if looked_at < len(found):  # its filters take long: the others come first
        transaction.on_commit(partial(_passed.add, row.pk))
    return made


def _wanting(row: FanOut, found: Sequence[Subscription]) -> tuple[list[UUID], int, bool]:
    """Who of them wants the event; how many were looked at (where filters take long, not all); whether one was asked.

    But for a replay, ordered destinations that the intake decided are passed over: who did not get a turn then would
    come out of turn now. One whose filter it had to leave comes late rather than never.
    """
    until, looked_at = monotonic() + PATIENCE, 0
    judge: Judging | None = None
    wanting = Matched()
    for one in found:
        if looked_at and monotonic() > until:
            break
        looked_at += 1
        if one.wants(row.type, row.consumer) and (row.replayed or not one.is_decided_at_once):
            judge = judge or (_judge(row) if one.filter else None)
            wanting.add(one, judge)
    transaction.on_commit(lambda: count_failures(len(wanting.failed)))
    return wanting.wanting, looked_at, judge is not None


def _judge(row: FanOut) -> Judging:
    event = Event.objects.filter(pk=row.event_id).first()
    return PatientJudge(Subject.of(event)) if event else BlindJudge()


def _deliver(row: FanOut, destination_ids: Sequence[UUID], *, look: bool) -> int:
    """Make the deliveries that there aren't yet, and where it is a replay, send again those that ended."""
    due = now()
    have, again = _earlier(row, destination_ids, due) if look else (set(), 0)
    reason = Edge.REPLAYED.value if row.replayed else ""
    rows = [
        DeliveryRow(new_uuid(), row.project_id, row.event_id, destination_id, due, due, reason=reason)
        for destination_id in destination_ids
        if destination_id not in have
    ]
    is_ordered = bool(store.ordered_among(destination_ids))
    deliveries_insert(rows, {row.event_id: row.event.ordering_key} if is_ordered else {})
    announce(destination_ids if again else [one.destination_id for one in rows])
    return len(rows) + again


def _earlier(row: FanOut, destination_ids: Sequence[UUID], due: datetime) -> tuple[set[UUID], int]:
    """Who of them has a delivery of the event already, and how many of those are sent again."""
    earlier = Delivery.objects.filter(event=row.event_id, destination__in=destination_ids)
    have = set(earlier.values_list("destination_id", flat=True))
    return have, store.replay(earlier, now=due) if row.replayed else 0
