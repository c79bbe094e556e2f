"""The kinds of operations, as a table: what each may be asked, which rows it looks at, what it does to a chunk of them.

A kind that is not in the table is refused; a new one is one more line here and its parameters.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from apps.deliveries import store
from apps.deliveries.models import Delivery, Operation
from apps.deliveries.operations import reading
from apps.deliveries.operations.reading import DeliverySeen
from apps.deliveries.operations.replaying import replay_to, replay_to_all
from apps.deliveries.states import State
from apps.deliveries.wakeups import announce
from apps.kernel.clock import now

CHUNK = 1_000  # rows looked at in one transaction


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one transaction did."""

    looked_at: int
    changed: int
    cursor: UUID | None  # the last row that is done with
    ended: bool = False  # it was the last chunk

    @property
    def is_idle(self) -> bool:
        """There is more, and it has to wait for other work."""
        return not (self.looked_at or self.ended)


@dataclass(frozen=True, slots=True)
class Kind:
    """`along`: all rows to look at, in order of id. `advance`: one chunk of them, in the caller's transaction."""

    does: str  # for people
    along: Callable[[Operation, Any], QuerySet[Any]]
    advance: Callable[[Operation, Any], Chunk]


def _of_deliveries(
    along: Callable[[Operation, Any], QuerySet[Delivery]],
    state: State,
    act: Callable[[QuerySet[Delivery], datetime], int],
    *,
    wakes: bool,
) -> Callable[[Operation, Any], Chunk]:
    """A chunk of deliveries in a state, by an edge of the store; `wakes`: they are due then."""

    def advance(operation: Operation, asked: Any) -> Chunk:
        seen = reading.deliveries_after(along(operation, asked), operation.cursor, CHUNK)
        there = [row for row in seen if row.state == state]
        meant = reading.meant(there, asked, operation.created_at)
        meant = reading.without_letters(meant) if wakes else meant
        changed = act(Delivery.objects.filter(pk__in=[row.pk for row in meant], state=state), now()) if meant else 0
        if wakes and changed:
            announce({row.destination_id for row in meant})
        return Chunk(len(seen), changed, _last(seen, operation), len(seen) < CHUNK)

    return advance


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


_recover = _of_deliveries(_dead, State.DEAD, _edge(store.replay), wakes=True)
_discard = _of_deliveries(_dead, State.DEAD, _edge(store.discard), wakes=False)
_retry = _of_deliveries(reading.made, State.READY, _edge(store.hasten), wakes=True)
_cancel = _of_deliveries(reading.made, State.READY, _edge(store.cancel), wakes=False)

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "recover": Kind("sends dead deliveries again", _dead, _recover),
        "replay": Kind("delivers events of a time again", reading.events, _replay),
        "retry": Kind("makes waiting deliveries due now", reading.made, _retry),
        "cancel": Kind("calls waiting deliveries off", reading.made, _cancel),
        "discard": Kind("takes dead deliveries out of the queue", _dead, _discard),
    }
)
