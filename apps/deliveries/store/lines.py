"""The lines of ordered destinations: who stands in them, and in which order.

A destination's ordering is for good, so what a process once knows of it stays true.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import compress
from typing import NamedTuple, Protocol
from uuid import UUID

from apps.deliveries.models import Delivery, Turn
from apps.destinations.models import Destination, Ordering
from apps.kernel import bulk

MOST_KNOWN = 100_000

_ordered: dict[UUID, bool] = {}  # by destination


class Placed(Protocol):
    """A delivery that was just made."""

    @property
    def id(self) -> UUID: ...
    @property
    def destination_id(self) -> UUID: ...
    @property
    def event_id(self) -> UUID: ...


class TurnRow(NamedTuple):
    """A turn about to be inserted; the fields are the columns."""

    destination_id: UUID
    key: UUID
    delivery_id: UUID


def ordered_among(destination_ids: Iterable[UUID]) -> set[UUID]:
    """Those that are ordered; asks the database only for what it never heard of."""
    wanted = list(destination_ids)
    known = list(map(_ordered.get, wanted))  # without a line of Python for each: every delivery's destination is asked
    if None in known:
        learned = _learned({one for one, is_ordered in zip(wanted, known, strict=True) if is_ordered is None})
        known = [learned.get(one, is_ordered) for one, is_ordered in zip(wanted, known, strict=True)]
    return set(compress(wanted, known))


def _learned(destination_ids: Collection[UUID]) -> dict[UUID, bool]:
    rows = Destination.objects.filter(pk__in=destination_ids).values_list("pk", "ordering")
    found = {pk: ordering == Ordering.PER_KEY for pk, ordering in rows}
    while len(_ordered) > MOST_KNOWN:
        _ordered.pop(next(iter(_ordered)), None)
    _ordered.update(found)
    return found


def known_as_ordered(destination_id: UUID) -> bool:
    """What is in memory of it, without a query."""
    return _ordered.get(destination_id, False)


def line_key(event_id: UUID, ordering_key: str) -> UUID:
    """One line for each ordering key; an event without one stands alone. As key_hash in apps/events/store.py."""
    return UUID(bytes=sha256(ordering_key.encode()).digest()[:16], version=5) if ordering_key else event_id


def join_lines(deliveries: Sequence[Placed], ordering_keys: Mapping[UUID, str]) -> None:
    """Let those of ordered destinations stand in line, in the order given. In the transaction that made them.

    `ordering_keys` by event.
    """
    if not (ordered := ordered_among({one.destination_id for one in deliveries})):
        return
    turns = [
        TurnRow(one.destination_id, line_key(one.event_id, ordering_keys[one.event_id]), one.id)
        for one in deliveries
        if one.destination_id in ordered
    ]
    bulk.insert(Turn, TurnRow._fields, turns)


def join_lines_again(delivery_ids: Collection[UUID]) -> None:
    """The same for deliveries that are made ready again, behind those that wait. Who still has a turn keeps it.

    In the transaction that holds their locks.
    """
    rows = Delivery.objects.filter(pk__in=delivery_ids, destination__ordering=Ordering.PER_KEY)
    keys = rows.order_by("event_id").values_list("destination_id", "event_id", "event__ordering_key", "pk")
    turns = [
        Turn(destination_id=destination_id, key=line_key(event_id, key or ""), delivery_id=pk)
        for destination_id, event_id, key, pk in keys
    ]
    Turn.objects.bulk_create(turns, ignore_conflicts=True)
