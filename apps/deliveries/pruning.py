"""Deletes events beyond their project's retention, with their deliveries and attempts, in small transactions.

Each batch deletes and moves its project's cursor in one transaction: a process may die at any line. Events with
something left to send stay; the cursor goes past them, and begins anew once a day to see what became of them.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from apps.accounts.models import Project
from apps.deliveries.models import BEGINNING, IS_FINAL, Attempt, Delivery, FanOut, Pruning
from apps.deliveries.policy.retention import Retention, oldest_kept, oldest_with_data, retention_of
from apps.events.models import Event
from apps.kernel.contention import retried
from apps.kernel.ids import first_id

BATCH = 1_000  # events looked at in one transaction
MOST = 5_000  # deliveries deleted in one
PLAN_AFTER = timedelta(minutes=10)  # what may go is looked up that often
BEGIN_AFTER = timedelta(days=1)  # what had to stay is looked at that often


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction looked at and deleted."""

    project_id: UUID
    looked_at: int = 0
    events: int = 0
    deliveries: int = 0
    attempts: int = 0
    skipped: bool = False  # another process is at this project


def retention(project: Project) -> Retention:
    return retention_of(project.retention_days, project.retention_events, default_days=settings.RETENTION_DAYS)


def projects_due(now: datetime) -> list[UUID]:
    """Those with something to delete, or to plan; the one that waited longest first."""
    known = Pruning.objects.values("pk")
    prepare(Project.objects.exclude(pk__in=known).values_list("pk", flat=True))
    behind = Q(cursor__lt=F("boundary")) | Q(payload_cursor__lt=F("payload_boundary"))
    due = behind | Q(planned_at=None) | Q(planned_at__lt=now - PLAN_AFTER)
    return list(Pruning.objects.filter(due).order_by("planned_at").values_list("pk", flat=True))


def prepare(project_ids: Iterable[UUID]) -> None:
    """Each project has a row to lock, whoever comes first."""
    Pruning.objects.bulk_create([Pruning(pk=pk) for pk in project_ids], ignore_conflicts=True)


def rehearse(project: Project, *, now: datetime) -> Iterator[Batch]:
    """Batch by batch, how many events would go; locks and deletes nothing."""
    cursor, before = BEGINNING, boundary(project, now)
    while ids := next_events(project.pk, cursor, before):
        yield Batch(project.pk, len(ids), len(ids) - len(unfinished(ids)))
        cursor = ids[-1]


def prune_next(project_id: UUID, *, now: datetime, replan: bool = False) -> Batch:
    """One batch. Without waiting for anybody, but for the rows it deletes."""
    return retried(lambda: _prune(project_id, now, replan))


@transaction.atomic
def _prune(project_id: UUID, now: datetime, replan: bool) -> Batch:
    row = Pruning.objects.select_for_update(skip_locked=True).filter(pk=project_id).first()
    if row is None:
        return Batch(project_id, skipped=True)
    if replan or row.planned_at is None or row.planned_at < now - PLAN_AFTER:
        _plan(row, now, replan)
    batch, row.cursor = _delete_after(row)
    row.save()
    return batch


def _plan(row: Pruning, now: datetime, replan: bool) -> None:
    project = Project.objects.get(pk=row.pk)
    row.boundary, row.payload_boundary, row.planned_at = boundary(project, now), payload_boundary(project, now), now
    if replan or row.began_at is None or row.began_at < now - BEGIN_AFTER:
        row.cursor, row.began_at = BEGINNING, now
        # Erased ones are still there: to walk by all of them every day would be much for the few that had to stay.
        row.payload_cursor = BEGINNING if replan else row.payload_left or row.payload_cursor
        row.payload_left = None


def boundary(project: Project, now: datetime) -> UUID:
    """Events with ids before it may go."""
    kept = retention(project)
    oldest = oldest_kept(kept, now)
    by_age = first_id(oldest) if oldest else BEGINNING
    ids = Event.objects.filter(project=project).order_by("-pk").values_list("pk", flat=True)
    by_count = ids[kept.events - 1 : kept.events].first() if kept.events else None
    return max(by_age, by_count or BEGINNING)


def payload_boundary(project: Project, now: datetime) -> UUID:
    """Events with ids before it may lose their data."""
    oldest = oldest_with_data(project.payload_days, now)
    return first_id(oldest) if oldest else BEGINNING


def _delete_after(row: Pruning) -> tuple[Batch, UUID]:
    """Delete what follows the cursor; the batch, and the new cursor."""
    ids = next_events(row.project_id, row.cursor, row.boundary)
    gone, deliveries, last = _locked(ids)
    attempts = Attempt.objects.filter(delivery__in=deliveries).delete()[0]
    Delivery.objects.filter(pk__in=deliveries).delete()
    Event.objects.filter(pk__in=gone).delete()
    all_seen = len(ids) < BATCH and (not ids or last == ids[-1])
    batch = Batch(row.project_id, len(ids), len(gone), len(deliveries), attempts)
    return batch, row.boundary if all_seen else last or row.cursor


def next_events(project_id: UUID, cursor: UUID, before: UUID) -> list[UUID]:
    events = Event.objects.filter(project=project_id, pk__gt=cursor, pk__lt=before)
    return list(events.order_by("pk").values_list("pk", flat=True)[:BATCH])


def unfinished(event_ids: Collection[UUID]) -> set[UUID]:
    """Those of the events that have something left to send, or to make deliveries of."""
    waiting = Delivery.objects.filter(~IS_FINAL, event__in=event_ids).values_list("event_id", flat=True)
    expanding = FanOut.objects.filter(pk__in=event_ids).values_list("pk", flat=True)
    return {*waiting.distinct(), *expanding}


def _locked(ids: Sequence[UUID]) -> tuple[list[UUID], list[UUID], UUID | None]:
    """Of these events: those to delete, the deliveries to delete, and the last event that was looked at.

    A replay takes its event's lock first, and a retry its delivery's: what they made ready before us is seen under
    the locks and stays, and after us they find nothing. Reading before locking leaves those alone that engines use.
    """
    finished = sorted(set(ids) - unfinished(ids))
    locked = Event.objects.select_for_update().filter(pk__in=finished).order_by("pk").values_list("pk", flat=True)
    events = list(locked)
    rows = Delivery.objects.select_for_update().filter(event__in=events).order_by("event_id", "destination_id")
    deliveries = list(rows.values_list("pk", "event_id")[:MOST])
    last = ids[-1] if ids else None
    cut = deliveries[-1][1] if len(deliveries) == MOST else None
    open_ones = unfinished(events)
    gone = [event for event in events if event not in open_ones and (cut is None or event < cut)]
    if cut:  # one event may have more than all: then some of it goes now, and it stays until the rest is gone, too
        last = max((event for event in ids if event < cut), default=None)
    parted = {*gone, cut} - open_ones if last is None else set(gone)
    return gone, [pk for pk, event in deliveries if event in parted], last
