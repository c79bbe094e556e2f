"""Erases the data of events that are kept longer than it, and what receivers answered, in small transactions.

As pruning.py does, and on the same row: a batch erases and moves its project's cursor in one transaction. What has
something left to send keeps its data, and is looked at again once a day.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from apps.accounts.models import Project
from apps.deliveries.models import Attempt, Pruning
from apps.deliveries.pruning import BATCH, boundary, next_events, payload_boundary, unfinished
from apps.events.models import Event
from apps.kernel.contention import retried

MOST = 5_000  # attempts changed in one transaction


@dataclass(frozen=True, slots=True)
class Expired:
    """What one transaction looked at and erased."""

    looked_at: int = 0
    events: int = 0
    attempts: int = 0
    skipped: bool = False  # another process is at this project


def rehearse(project: Project, *, now: datetime) -> Iterator[int]:
    """Batch by batch, how many events would lose their data; locks and changes nothing."""
    cursor, before = boundary(project, now), payload_boundary(project, now)  # what is older goes whole
    while ids := next_events(project.pk, cursor, before):
        with_data = Event.objects.filter(pk__in=ids, erased_at=None).values_list("pk", flat=True)
        yield len(set(with_data) - unfinished(ids))
        cursor = ids[-1]


def expire_next(project_id: UUID, *, now: datetime) -> Expired:
    """One batch, as planned by the last `prune_next` of the project."""
    return retried(lambda: _expire(project_id, now))


@transaction.atomic
def _expire(project_id: UUID, now: datetime) -> Expired:
    row = Pruning.objects.select_for_update(skip_locked=True).filter(pk=project_id).first()
    if row is None:
        return Expired(skipped=True)
    ids = next_events(row.project_id, row.payload_cursor, row.payload_boundary)
    open_ones = unfinished(ids)
    finished = _locked(sorted(set(ids) - open_ones))
    reopened = unfinished(finished)  # between our look and our locks
    erasable = [pk for pk in finished if pk not in reopened]
    attempts = _forget_answers(erasable)
    if attempts == MOST:  # there may be more of them: then their events come with the next batch
        return Expired(len(ids), 0, attempts)
    Event.objects.filter(pk__in=erasable).update(data=b"", erased_at=now)
    _move(row, ids, open_ones | reopened)
    return Expired(len(ids), len(erasable), attempts)


def _locked(ids: Sequence[UUID]) -> list[UUID]:
    """Those that still have their data; a replay takes the same lock."""
    events = Event.objects.select_for_update().filter(pk__in=ids, erased_at=None).order_by("pk")
    return list(events.values_list("pk", flat=True))


def _forget_answers(event_ids: Sequence[UUID]) -> int:
    answered = Attempt.objects.filter(delivery__event__in=event_ids).exclude(response_body=b"")
    ids = list(answered.values_list("pk", flat=True)[:MOST])
    return Attempt.objects.filter(pk__in=ids).update(response_body=b"")


def _move(row: Pruning, ids: Sequence[UUID], stayed: set[UUID]) -> None:
    if stayed and row.payload_left is None:
        row.payload_left = UUID(int=min(stayed).int - 1)
    row.payload_cursor = ids[-1] if len(ids) == BATCH else max(row.payload_cursor, row.payload_boundary)
    row.save(update_fields=["payload_cursor", "payload_left"])
