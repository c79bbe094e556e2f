"""Operations for tests: asked for, done by nobody else, and what became of the deliveries."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from apps.accounts.models import Project
from apps.deliveries.models import Delivery, Operation
from apps.deliveries.operations import kinds
from apps.deliveries.operations.advancing import advance
from apps.deliveries.operations.services import operation_create
from apps.deliveries.states import State
from apps.destinations.models import Destination
from tests.integration.cast import ACTOR, a_delivery, an_event

ALL_TIME = {"since": "2000-01-01T00:00:00Z"}


def asked(project: Project, kind: str = "recover", **parameters: Any) -> Operation:
    since = {} if kind in {"discard", "cancel", "retry"} else ALL_TIME
    return operation_create(project=project, kind=kind, parameters={**since, **parameters}, actor=ACTOR)


def done(operation: Operation, most: int = 100) -> Operation:
    """Brought to its end, by nobody else."""
    for _ in range(most):
        if advance(operation.pk) is None:
            break
    operation.refresh_from_db()
    return operation


def some(destination: Destination, count: int, state: State = State.DEAD, **fields: Any) -> list[Delivery]:
    return [a_delivery(an_event(destination.project), destination, state, **fields) for _ in range(count)]


def states(rows: list[Delivery]) -> Counter[str]:
    return Counter(Delivery.objects.filter(pk__in=[row.pk for row in rows]).values_list("state", flat=True))


def recovering_by(edge: Callable[..., int]) -> dict[str, kinds.Kind]:
    """The table with another way to recover."""
    another = kinds._of_deliveries("another way", kinds._dead, State.DEAD, kinds._edge(edge), wakes=True)
    return {**kinds.KINDS, "recover": another}
