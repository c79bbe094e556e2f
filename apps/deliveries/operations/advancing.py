"""How operations get on: the one that waited longest does one chunk, then it is another's turn.

A chunk is a transaction that holds the operation's row, changes what it is about, and moves the cursor: a process may
die at any line, and two never do the same chunk. One that raises is undone and tried again later, while the others go
on; at last the operation is failed. Where no worker takes a filter at the moment, it is only another one's turn.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q, QuerySet, Window
from django.db.models.functions import RowNumber

from apps.audit.services import SYSTEM, audit_record
from apps.deliveries.models import ERASURE, Operation, OperationState
from apps.deliveries.operations.chunk import Chunk
from apps.deliveries.operations.kinds import KINDS
from apps.deliveries.operations.parameters import read_parameters
from apps.deliveries.policy.persistence import next_try
from apps.destinations.routing.workers import Unavailable
from apps.kernel.clock import isoformat, now
from apps.kernel.contention import retried
from apps.kernel.errors import Invalid, Problem
from apps.kernel.ids import encode

log = structlog.get_logger("trunkline.operations")

MOST_ASKED = 20  # in one look, whether somebody is at them
MOST_FAILURES = 1_000  # counted: for months of them the column has no room


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

    @property
    def is_final(self) -> bool:
        """What was asked can't be done, now or later."""
        return isinstance(self.cause, Problem) and not self.is_passing

    @property
    def is_databases(self) -> bool:
        """Which was away, or in the way; that never ends an operation."""
        return isinstance(self.cause, OperationalError | InterfaceError)


def advance_next() -> Advance | None:
    """One chunk of the operation that waited longest, of those nobody is at; None where there is none."""
    return _advanced(_in_turn())


def advance(operation_id: UUID) -> Advance | None:
    """One chunk of this one; None where it does not run, waits after a failure, or somebody is at it."""
    return _advanced(list(_due(Operation.objects.filter(pk=operation_id)).values_list("pk", flat=True)))


def _in_turn() -> list[UUID]:
    """The first in the queue, read once and without a lock: on SQLite that is everybody's.

    A project's erasures go one after the other: as many as it likes take one turn among the operations of all.
    """
    place = Window(RowNumber(), partition_by=["project", "kind"], order_by="pk")
    heads = _due(Operation.objects.annotate(place=place)).filter(~Q(kind=ERASURE) | Q(place=1))
    return list(heads.order_by("updated_at", "pk").values_list("pk", flat=True)[:MOST_ASKED])


def _due(rows: QuerySet[Operation]) -> QuerySet[Operation]:
    return rows.filter(Q(due_at=None) | Q(due_at__lte=now()), state=OperationState.RUNNING)


def _advanced(ids: Sequence[UUID]) -> Advance | None:
    if not ids:
        return None
    try:
        return _done(ids)
    except Broken as broken:
        is_clear = broken.is_final or broken.is_passing or broken.is_databases
        return _given_up(broken) if is_clear else _once_more(broken.pk)


def _once_more(pk: UUID) -> Advance | None:
    """What was written by another at the very moment, such as the same delivery, is seen now."""
    try:
        return _done([pk])
    except Broken as broken:
        return _given_up(broken)


def _given_up(broken: Broken) -> Advance | None:
    if broken.is_passing:
        _postpone(broken)
        return None
    return _fail(broken)


def _postpone(broken: Broken) -> None:
    """It goes on where it was, when the others have had their turn."""
    Operation.objects.filter(pk=broken.pk, state=OperationState.RUNNING).update(updated_at=now())
    log.warning("operation.postponed", operation_id=encode("opr", broken.pk), error=str(broken))


def _done(ids: Sequence[UUID]) -> Advance | None:
    """A chunk of the first of them that nobody is at; raises Broken."""
    held: list[UUID] = []
    try:
        return retried(lambda: _chunk(ids, held))
    except Exception as error:
        if not held:
            raise
        raise Broken(held[-1], error) from error


@transaction.atomic
def _chunk(ids: Sequence[UUID], held: list[UUID]) -> Advance | None:
    """One by one: MariaDB locks all rows that it sorts, and engines would keep each other from them."""
    for pk in ids:
        if operation := _due(Operation.objects.filter(pk=pk)).select_for_update(skip_locked=True).first():
            held.append(pk)
            return advance_locked(operation)
    return None


def advance_locked(operation: Operation) -> Advance:
    """One chunk of an operation whose row the caller's transaction holds, or has just made."""
    asked = read_parameters(operation.kind, operation.parameters)
    chunk = KINDS[operation.kind].advance(operation, asked)
    operation.cursor = chunk.cursor
    operation.processed += chunk.looked_at
    operation.changed += chunk.changed
    operation.updated_at = now()
    operation.failures, operation.due_at, operation.error = 0, None, ""
    if chunk.ended:
        _end(operation, OperationState.COMPLETED)
    operation.save()
    return Advance(operation, chunk)


@transaction.atomic
def _fail(broken: Broken) -> Advance | None:
    """Now, or after some more tries. Where it is the database that is away, this raises as well, and nothing counts."""
    operation = Operation.objects.select_for_update().filter(pk=broken.pk, state=OperationState.RUNNING).first()
    if operation is None:
        return None
    moment = now()
    operation.failures = min(operation.failures + 1, MOST_FAILURES)
    operation.updated_at = moment
    operation.due_at = None if broken.is_final else next_try(operation.failures, moment, for_ever=broken.is_databases)
    operation.error = _said(broken.cause, operation)
    told = {"operation_id": operation.public_id, "kind": operation.kind, "error": str(broken.cause)[:1_000]}
    if operation.due_at:
        log.warning("operation.retrying", due_at=operation.due_at.isoformat(), failures=operation.failures, **told)
    else:
        log.error("operation.failed", **told)
        call_off(operation)
        _end(operation, OperationState.FAILED)
    operation.save()
    return Advance(operation, Chunk(0, 0, operation.cursor, ended=operation.due_at is None))


def _said(cause: Exception, operation: Operation) -> str:
    """For people. What others than we say of an error may have somebody's data in it: that is in the log only."""
    if isinstance(cause, Problem):
        return cause.detail[:255]
    name = type(cause).__name__
    if operation.due_at:
        return f"{name}, {operation.failures} times in a row: see the log; next try at {isoformat(operation.due_at)}"
    return f"{name}, {operation.failures} times in a row: see the log, mend it, and ask again"


def call_off(operation: Operation) -> None:
    """What follows where it ends before its work is done; in the caller's transaction."""
    with suppress(Invalid):  # what can't be read can't be acted upon
        asked = read_parameters(operation.kind, operation.parameters)
        KINDS[operation.kind].called_off(operation, asked)


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
