"""The kinds of operations, as a table: what each may be asked, which rows it looks at, what it does to a chunk of them.

A kind that is not in the table is refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from apps.deliveries import store
from apps.deliveries.models import ERASURE, Delivery, Operation
from apps.deliveries.operations import erasure, reading
from apps.deliveries.operations.chunk import Chunk
from apps.deliveries.operations.reading import DeliverySeen
from apps.deliveries.operations.replaying import replay_to, replay_to_all
from apps.deliveries.states import State
from apps.deliveries.wakeups import announce
from apps.kernel.clock import now

CHUNK = 1_000  # rows looked at in one transaction
FEW = 5_000  # deliveries that wait, and are found quicker by themselves than in a history
RARE = 10  # that is looked into where not even one in so many waits


@dataclass(frozen=True, slots=True)
class Kind:
    """`advance`: one chunk, in the caller's transaction. `called_off`: what follows where it ends before it is done.

    `rows`: what it looks at, in order of id, where whoever may write deliveries may ask for it; None of one that has a
    service of its own.
    """

    does: str  # for people
    advance: Callable[[Operation, Any], Chunk]
    rows: Callable[[Operation, Any], QuerySet[Any]] | None = None
    called_off: Callable[[Operation, Any], None] = lambda operation, asked: None


def _of_deliveries(
    does: str,
    rows: Callable[[Operation, Any], QuerySet[Delivery]],
    state: State,
    act: Callable[[QuerySet[Delivery], datetime], int],
    *,
    wakes: bool,
) -> Kind:
    """Chunks of deliveries in a state, by an edge of the store; `wakes`: they are due then."""

    def advance(operation: Operation, asked: Any) -> Chunk:
        seen = reading.deliveries_after(rows(operation, asked), operation.cursor, CHUNK)
        if state is State.READY and _is_history(seen):
            few = reading.few_waiting(operation, asked, FEW)
            seen = seen if few is None else few[:CHUNK]
        there = [row for row in seen if row.state == state]
        meant = reading.meant(there, asked, operation.created_at)
        meant = reading.without_letters(meant) if wakes else meant
        changed = act(Delivery.objects.filter(pk__in=[row.pk for row in meant], state=state), now()) if meant else 0
        if wakes and changed:
            announce({row.destination_id for row in meant})
        return Chunk(len(seen), changed, _last(seen, operation), len(seen) < CHUNK)

    return Kind(does, advance, rows)


def _is_history(seen: list[DeliverySeen]) -> bool:
    """Hardly any of them waits, and there is more to walk along."""
    return len(seen) == CHUNK and sum(row.state == State.READY for row in seen) * RARE < CHUNK


def _last(seen: list[DeliverySeen], operation: Operation) -> UUID | None:
    return seen[-1].pk if seen else operation.cursor


def _dead(operation: Operation, asked: Any) -> QuerySet[Delivery]:
    return reading.dead(operation)


def _replay(operation: Operation, asked: Any) -> Chunk:
    destination = reading.target(operation, asked)
    seen = reading.events_after(reading.events(operation, asked), operation.cursor, CHUNK)
    meant = reading.events_meant(seen, asked, operation.created_at)
    if destination:
        changed, taken = replay_to(destination, meant, only_matching=asked.only_matching, now=now())
    else:
        changed, taken = replay_to_all(operation.project_id, meant, most=CHUNK, now=now())
    done = seen if taken == len(meant) else [row for row in seen if row.pk < meant[taken].pk]
    cursor = done[-1].pk if done else operation.cursor
    return Chunk(len(done), changed, cursor, len(seen) < CHUNK and len(done) == len(seen))


def _edge(edge: Callable[..., int]) -> Callable[[QuerySet[Delivery], datetime], int]:
    return lambda rows, moment: edge(rows, now=moment)


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "recover": _of_deliveries("sends dead deliveries again", _dead, State.DEAD, _edge(store.replay), wakes=True),
        "replay": Kind("delivers events of a time again", _replay, reading.events),
        "retry": _of_deliveries(
            "makes waiting deliveries due now", reading.made, State.READY, _edge(store.hasten), wakes=True
        ),
        "cancel": _of_deliveries(
            "calls waiting deliveries off", reading.made, State.READY, _edge(store.cancel), wakes=False
        ),
        "discard": _of_deliveries(
            "takes dead deliveries out of the queue", _dead, State.DEAD, _edge(store.discard), wakes=False
        ),
        ERASURE: Kind("erases all that is kept of a consumer", erasure.erase, called_off=erasure.call_off),
    }
)
ON_REQUEST = tuple(name for name, kind in KINDS.items() if kind.rows)
