"""What people do with operations: make one, hold it, let it go on, call it off. And what is long over goes."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from apps.accounts.models import Project
from apps.audit.services import Actor, audit_record
from apps.deliveries.models import Operation, OperationState
from apps.deliveries.operations.advancing import advance_locked, call_off
from apps.deliveries.operations.kinds import KINDS, ON_REQUEST
from apps.deliveries.operations.parameters import Parameters, as_stored, parse_parameters
from apps.deliveries.wakeups import announce_any
from apps.destinations.letters import written_to
from apps.destinations.models import Destination
from apps.destinations.selectors import destinations
from apps.kernel.clock import now
from apps.kernel.contention import in_transaction
from apps.kernel.errors import Conflict, Fault, Invalid, NotFound

MOST_COUNTED = 100_000  # rows; beyond, nobody knows how many there are
MOST_BEGUN = 10  # chunks that are done at once
CHUNK = 1_000  # deliveries changed, with which that is enough
MOST_OPEN = 50  # operations of a project that run or are paused
SENDING_KINDS = frozenset({"recover", "replay", "retry"})
OPEN = frozenset({OperationState.RUNNING, OperationState.PAUSED})
# By the state it leads to, the states it may leave.
MOVES: Mapping[OperationState, frozenset[OperationState]] = {
    OperationState.PAUSED: frozenset({OperationState.RUNNING}),
    OperationState.RUNNING: frozenset({OperationState.PAUSED}),
    OperationState.CANCELLED: OPEN,
}


def operation_create(
    *, project: Project, kind: object, parameters: Mapping[str, Any], actor: Actor, begin: bool = False
) -> Operation:
    """The engines take it from here. `begin`: its first chunks are done, and of few rows all.

    Raises Invalid, pointing to what is wrong, and Conflict where too many are open.
    """
    asked = parse_parameters(kind, parameters)
    _check_destination(project, asked, sends=kind in SENDING_KINDS)
    return _create(project, asked, actor, begin)


@in_transaction
def _create(project: Project, asked: Parameters, actor: Actor, begin: bool) -> Operation:
    refuse_too_many(project, ON_REQUEST, MOST_OPEN, "operations")
    kind, stored = str(asked.__struct_config__.tag), as_stored(asked)
    operation = Operation(project=project, kind=kind, parameters=stored, actor_label=actor.label[:255])
    operation.total = _counted(operation, asked)
    operation.save(force_insert=True)
    _audit(operation, "operation.created", actor, {"kind": kind, **stored})
    if begin:
        _begin(operation)
    if operation.state == OperationState.RUNNING:
        announce_any()
    return operation


def _counted(operation: Operation, asked: Parameters) -> int | None:
    rows = KINDS[operation.kind].rows
    found = rows(operation, asked)[: MOST_COUNTED + 1].count() if rows else 0
    return found if found <= MOST_COUNTED else None


def refuse_too_many(project: Project, kinds: Iterable[str], most: int, named: str) -> None:
    """Raises Conflict where so many of these kinds are open."""
    if Operation.objects.filter(project=project, kind__in=kinds, state__in=OPEN).count() >= most:
        raise Conflict(f"the project has {most:,} {named} under way", code="too_many_operations")


def _begin(operation: Operation) -> None:
    """Until it has something to show: past chunks of others' rows, but not far."""
    for _ in range(MOST_BEGUN):
        if advance_locked(operation).chunk.ended or operation.changed >= CHUNK:
            break


def operation_pause(*, operation: Operation, actor: Actor) -> Operation:
    """It rests after the chunk that is being done."""
    return _move(operation, OperationState.PAUSED, actor)


def operation_resume(*, operation: Operation, actor: Actor) -> Operation:
    """It goes on where it was paused."""
    resumed = _move(operation, OperationState.RUNNING, actor)
    announce_any()
    return resumed


def operation_cancel(*, operation: Operation, actor: Actor) -> Operation:
    """It goes no further; what it has done stays done."""
    return _move(operation, OperationState.CANCELLED, actor)


@in_transaction
def _move(operation: Operation, state: OperationState, actor: Actor) -> Operation:
    """Between two chunks. Where it is so already, nothing happens; where it has ended, that is a Conflict."""
    moment = now()
    current = Operation.objects.select_for_update().filter(pk=operation.pk).first()
    if current is None:
        raise NotFound("it is gone: it ended long ago")
    if current.state == state:
        return current
    if current.state not in MOVES[state]:
        raise Conflict(f"it is {current.state} already", code="operation_ended")
    current.state, current.updated_at, current.due_at = state, moment, None
    current.finished_at = None if state in OPEN else moment
    current.save(update_fields=["state", "updated_at", "due_at", "finished_at"])
    if state == OperationState.CANCELLED:
        call_off(current)
    names = {OperationState.PAUSED: "paused", OperationState.RUNNING: "resumed", OperationState.CANCELLED: "cancelled"}
    _audit(current, f"operation.{names[state]}", actor, {"processed": current.processed, "changed": current.changed})
    return current


def operations_prune(*, before: datetime, limit: int) -> int:
    """Forget those that ended before a time; returns how many."""
    ended = Operation.objects.exclude(state__in=OPEN).filter(finished_at__lt=before)
    ids = list(ended.order_by("updated_at").values_list("pk", flat=True)[:limit])
    Operation.objects.filter(pk__in=ids).delete()
    return len(ids)


def _check_destination(project: Project, asked: Parameters, *, sends: bool) -> None:
    if asked.destination_id is None:
        return
    found = destinations(project).filter(pk=asked.destination_id).first()
    if found is None:
        fault = Fault("/destination", "there is no such destination", "not_found")
        raise Invalid(fault.detail, faults=[fault])
    if sends and written_to([found.pk]):
        detail = "operations send no letters; retry the deliveries of an e-mail destination one by one"
        raise Conflict(detail, code="one_by_one")
    if asked.consumer is not None:
        refuse_other_consumer(found, asked.consumer)


def refuse_other_consumer(destination: Destination, consumer: str) -> None:
    """A consumer's events are no other consumer's business; raises Invalid."""
    if destination.consumer and destination.consumer.key != consumer:
        fault = Fault("/destination", "it belongs to another consumer than the event", "other_consumer")
        raise Invalid(fault.detail, code="other_consumer", faults=[fault])


def _audit(operation: Operation, action: str, actor: Actor, changes: Mapping[str, Any]) -> None:
    audit_record(
        actor=actor, action=action, target=operation.public_id, project_id=operation.project_id, changes=changes
    )
