"""Erasures as operations: asked for once, done by the engines in the background, chunk by chunk."""

from collections.abc import Callable
from uuid import UUID

from django.db import transaction

from apps.accounts.models import Project
from apps.accounts.services import project_touch
from apps.audit.services import Actor, audit_record
from apps.deliveries.erasure import erase_chunk
from apps.deliveries.models import ERASURE, Operation, OperationState
from apps.destinations.models import Consumer
from apps.destinations.selectors import consumer_named
from apps.destinations.services import consumer_create, consumer_mark
from apps.kernel.clock import now
from apps.kernel.contention import retried
from apps.kernel.errors import NotFound
from apps.kernel.ids import decode

OPEN = (OperationState.RUNNING, OperationState.PAUSED)


@transaction.atomic
def consumer_erase(*, consumer: Consumer, actor: Actor) -> Operation:
    """Have the engines erase it. Asked for again meanwhile, it is the same operation.

    The operation names the consumer by id only, and so does the audit trail.
    """
    project_touch(consumer.project)  # two who ask at the same moment follow one another, and who deletes it
    if not consumer_mark(consumer_id=consumer.pk, being_erased=True):
        raise NotFound("it was deleted")
    found = Operation.objects.filter(
        project=consumer.project_id, kind=ERASURE, state__in=OPEN, parameters__consumer_id=consumer.public_id
    ).first()
    if found is not None:
        return found
    operation = Operation.objects.create(
        project_id=consumer.project_id,
        kind=ERASURE,
        parameters={"consumer_id": consumer.public_id},
        actor_label=actor.label[:255],
    )
    audit_record(
        actor=actor,
        action="consumer.erasure_started",
        target=consumer.public_id,
        project_id=consumer.project_id,
        changes={"operation": operation.public_id},
    )
    return operation


def consumer_to_erase(project: Project, key: str, actor: Actor) -> Consumer:
    """By key or id. Where only events name it, a row is made that says what is to be erased."""
    return consumer_named(project, key) or consumer_create(project=project, key=key, actor=actor)


def erase_next() -> Operation | None:
    """One chunk of the erasure that waited longest, of those nobody is at; None where there is none."""
    waiting = Operation.objects.filter(state=OperationState.RUNNING, kind=ERASURE).order_by("updated_at")
    if not waiting.exists():  # without a lock: on SQLite it is everybody's
        return None
    return retried(lambda: _advance(waiting.select_for_update(skip_locked=True).first))


def erase_step(operation_id: UUID) -> Operation | None:
    """One chunk of this one; None where it does not run any more."""
    rows = Operation.objects.select_for_update().filter(pk=operation_id, state=OperationState.RUNNING)
    return retried(lambda: _advance(rows.first))


@transaction.atomic
def _advance(lock: Callable[[], Operation | None]) -> Operation | None:
    operation = lock()
    if operation is None:
        return None
    consumer_id = decode("con", operation.parameters["consumer_id"])
    done = erase_chunk(operation.project_id, consumer_id, operation.cursor)
    operation.cursor = done.cursor or operation.cursor
    operation.processed += done.looked_at
    operation.changed += done.changed
    operation.updated_at = now()
    if done.cursor is None:
        operation.state, operation.finished_at = OperationState.COMPLETED, now()
    operation.save()
    return operation
