"""How operations get on: the one that waited longest does one chunk, then it is another's turn.

A chunk is a transaction that holds the operation's row, changes deliveries, and moves the cursor: a process may die at
any line, and two never do the same chunk. An error that comes twice is the operation's, and ends it; where no worker
takes a filter at the moment, it is only another one's turn.
"""

from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet

from apps.audit.services import SYSTEM, audit_record
from apps.deliveries.models import ERASURE, Operation, OperationState
from apps.deliveries.operations.kinds import KINDS, Chunk
from apps.deliveries.operations.parameters import parse_parameters
from apps.destinations.routing.workers import Unavailable
from apps.kernel.clock import now
from apps.kernel.contention import retried
from apps.kernel.errors import Problem
from apps.kernel.ids import encode

log = structlog.get_logger("trunkline.operations")


@dataclass(frozen=True, slots=True)
class Advance:
    """What a chunk did, and how the operation stands after it."""

    operation: Operation
    chunk: Chunk


class Broken(Exception):
    """A chunk could not be done; its transaction is undone."""

    def __init__(self, pk: UUID, cause: Exception) -> None:
        super().__init__(str(cause))
        self.pk, self.cause = pk, cause

    @property
    def is_passing(self) -> bool:
        """It is nobody's fault, and will go later."""
        return isinstance(self.cause, Unavailable)


def advance_next() -> Advance | None:
    """One chunk of the operation that waited longest, of those nobody is at; None where there is none."""
    return _advanced(Operation.objects.order_by("updated_at", "pk"))


def advance(operation_id: UUID) -> Advance | None:
    """One chunk of this one; None where it does not run, or somebody is at it."""
    return _advanced(Operation.objects.filter(pk=operation_id))


def _advanced(which: QuerySet[Operation]) -> Advance | None:
    running = which.filter(state=OperationState.RUNNING).exclude(kind=ERASURE)  # which has a loop of its own
    if not running.exists():  # without a lock: on SQLite it is everybody's
        return None
    try:
        return retried(lambda: _chunk(running))
    except Broken as broken:
        is_clear = broken.is_passing or isinstance(broken.cause, Problem)
        return _given_up(broken) if is_clear else _once_more(broken.pk)


def _once_more(pk: UUID) -> Advance | None:
    """What was written by another at the very moment, such as the same delivery, is seen now."""
    try:
        return retried(lambda: _chunk(Operation.objects.filter(pk=pk, state=OperationState.RUNNING)))
    except Broken as broken:
        return _given_up(broken)


def _given_up(broken: Broken) -> Advance | None:
    if not broken.is_passing:
        return _fail(broken)
    _postpone(broken)
    return None


def _postpone(broken: Broken) -> None:
    """It goes on where it was, when the others have had their turn."""
    Operation.objects.filter(pk=broken.pk, state=OperationState.RUNNING).update(updated_at=now())
    log.warning("operation.postponed", operation_id=encode("opr", broken.pk), error=str(broken))


@transaction.atomic
def _chunk(running: QuerySet[Operation]) -> Advance | None:
    operation = running.select_for_update(skip_locked=True).first()
    return advance_locked(operation) if operation else None


def advance_locked(operation: Operation) -> Advance:
    """One chunk of an operation whose row the caller's transaction holds, or has just made."""
    try:
        asked = parse_parameters(operation.kind, operation.parameters)
        chunk = KINDS[operation.kind].advance(operation, asked)
    except (OperationalError, InterfaceError):  # the database is away, or another transaction was in the way
        raise
    except Exception as error:
        raise Broken(operation.pk, error) from error
    operation.cursor = chunk.cursor
    operation.processed += chunk.looked_at
    operation.changed += chunk.changed
    operation.updated_at = now()
    if chunk.ended:
        _end(operation, OperationState.COMPLETED)
    operation.save()
    return Advance(operation, chunk)


@transaction.atomic
def _fail(broken: Broken) -> Advance | None:
    operation = Operation.objects.select_for_update().filter(pk=broken.pk, state=OperationState.RUNNING).first()
    if operation is None:
        return None
    cause = broken.cause
    operation.error = cause.detail[:255] if isinstance(cause, Problem) else f"{type(cause).__name__}: see the log"
    log.error("operation.failed", operation_id=operation.public_id, kind=operation.kind, error=str(cause)[:1_000])
    _end(operation, OperationState.FAILED)
    operation.save()
    return Advance(operation, Chunk(0, 0, operation.cursor, ended=True))


def _end(operation: Operation, state: OperationState) -> None:
    operation.state, operation.finished_at = state, now()
    counts = {"processed": operation.processed, "changed": operation.changed}
    told = {**counts, "error": operation.error} if operation.error else counts
    audit_record(
        actor=SYSTEM,
        action=f"operation.{state}",
        target=operation.public_id,
        project_id=operation.project_id,
        changes=told,
    )


def tell(done: Advance, *, milliseconds: int) -> None:
    """One wide line for a chunk, after its commit."""
    operation = done.operation
    log.info(
        "operation.advanced",
        operation_id=operation.public_id,
        project_id=encode("prj", operation.project_id),
        kind=operation.kind,
        state=str(operation.state),
        looked_at=done.chunk.looked_at,
        changed=done.chunk.changed,
        duration_ms=milliseconds,
    )
