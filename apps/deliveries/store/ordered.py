"""Claims of ordered destinations: of each ordering key the one at the head of its line, and only that one.

One engine at a time claims of such a destination, under the lock of its row. A line's head is whoever has begun, or
else the lowest turn; it stays the head until its delivery has ended, so that one of each key is in flight, whoever
dies. Turns of deliveries that have ended are cleared away here and nowhere else: what settles or cancels need not know
of lines.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.db.models import Min, Q, QuerySet

from apps.deliveries.models import Delivery, Turn
from apps.deliveries.policy.poison import Head, Place, place_of
from apps.deliveries.states import State
from apps.deliveries.store import guards, portable
from apps.deliveries.store.rows import Claimed
from apps.destinations.models import Destination
from apps.destinations.policy import Poison, Policy
from apps.destinations.selectors import claimable_ids

MOST_LINES = 1_000  # looked at in one walk
MOST_WALKS = 5  # of one claim
MOST_REMEMBERED = 10_000

# A loose index scan: from each line straight to the next one, however long they are.
FIRSTS = """
WITH RECURSIVE line AS (
    (SELECT key, id FROM deliveries_turn WHERE destination_id = %(destination)s AND key > %(after)s
     ORDER BY key, id LIMIT 1)
    UNION ALL
    SELECT next.key, next.id FROM line CROSS JOIN LATERAL (
        SELECT t.key, t.id FROM deliveries_turn t WHERE t.destination_id = %(destination)s AND t.key > line.key
        ORDER BY t.key, t.id LIMIT 1
    ) next
)
SELECT key, id FROM line LIMIT %(most)s"""
GONE = Head(None, datetime.max.replace(tzinfo=UTC), 0)
FIRST_KEY = UUID(int=0)

_reached: dict[UUID, UUID] = {}  # by destination, the line that its last walk came to: walks go round


class Line(NamedTuple):
    """A line's head."""

    turn: int
    delivery_id: UUID
    head: Head


def claim(
    asked: Mapping[UUID, int],
    *,
    limit: int,
    now: datetime,
    lease_until: datetime,
    bytes_left: int,
    limited: Collection[UUID],
    probed: Collection[UUID],
) -> list[Claimed]:
    """As the store's `claim`, for ordered destinations; passes over those that another engine is at."""
    claimed: list[Claimed] = []
    admitted = guards.admitted(limited, probed)
    for destination_id, wanted in asked.items():
        if len(claimed) >= limit or (claimed and bytes_left <= 0):
            break
        rows = _claim_of(destination_id, admitted, min(wanted, limit - len(claimed)), now, lease_until, bytes_left)
        bytes_left -= sum(len(row.data or b"") for row in rows)
        claimed += rows
    return claimed


@transaction.atomic
def _claim_of(
    destination_id: UUID, admitted: Q, wanted: int, now: datetime, lease_until: datetime, bytes_left: int
) -> list[Claimed]:
    claimable = Destination.objects.filter(admitted, pk=destination_id, pk__in=claimable_ids())
    found = claimable.select_for_update(skip_locked=True).values_list("deleted_at", "policy").first()
    if found is None:
        return []
    deleted_at, policy = found
    if deleted_at:  # to be cancelled, and in any order
        events = dict(portable.locked({destination_id: wanted}, now, wanted))
        return portable.take(events, lease_until=lease_until, bytes_left=bytes_left)
    poison = msgspec.convert(policy, Policy).poison or Poison()
    lines = _sendable(destination_id, poison, wanted, now)
    events = dict(Delivery.objects.filter(pk__in=[one.delivery_id for one in lines]).values_list("pk", "event_id"))
    rows = portable.take(events, lease_until=lease_until, bytes_left=bytes_left)
    taken = {row.id for row in rows}
    Turn.objects.filter(pk__in=[one.turn for one in lines if one.delivery_id in taken]).update(begun=True)
    return rows


def _sendable(destination_id: UUID, poison: Poison, wanted: int, now: datetime) -> list[Line]:
    """Up to `wanted` heads that may be sent now; clears the lines that the walks come to."""
    found: list[Line] = []
    for _ in range(MOST_WALKS):
        firsts = _firsts_of(destination_id, _reached.pop(destination_id, None))
        heads = _cleared(destination_id, firsts, poison, now)
        served = [key for key in firsts if key in heads][: wanted - len(found)]
        found += [heads[key] for key in served]
        if len(served) < len(heads):  # the next claim goes on behind whom this one served
            _remember(destination_id, served[-1])
        elif len(firsts) == MOST_LINES:
            _remember(destination_id, next(reversed(firsts)))
        if len(found) == wanted or destination_id not in _reached:
            break
    return found


def _remember(destination_id: UUID, key: UUID) -> None:
    if len(_reached) >= MOST_REMEMBERED:
        _reached.clear()
    _reached[destination_id] = key


def _firsts_of(destination_id: UUID, after: UUID | None) -> dict[UUID, int]:
    """The next lines, each with its lowest turn."""
    if connection.vendor == "postgresql":
        values: dict[str, Any] = {"destination": destination_id, "after": after or FIRST_KEY, "most": MOST_LINES}
        with connection.cursor() as cursor:
            cursor.execute(FIRSTS, values)
            return dict(cursor.fetchall())
    turns = Turn.objects.filter(destination_id=destination_id)
    return dict(_lowest(turns.filter(key__gt=after) if after else turns).order_by("key")[:MOST_LINES])


def _lowest(turns: QuerySet[Turn]) -> QuerySet[Turn, tuple[UUID, int]]:
    return turns.values("key").annotate(first=Min("pk")).values_list("key", "first")


def _cleared(destination_id: UUID, firsts: Mapping[UUID, int], poison: Poison, now: datetime) -> dict[UUID, Line]:
    """By line, the heads that may be sent. Those that hold nobody up go, and who comes after them is looked at next."""
    found: dict[UUID, Line] = {}
    while firsts:
        over: dict[UUID, int] = {}
        for key, line in _heads(destination_id, firsts):
            place = place_of(line.head, poison, now)
            if place is Place.SEND:
                found[key] = line
            elif place is not Place.WAIT:
                over[key] = line.turn
            if place is Place.ASIDE:
                Turn.objects.filter(pk=line.turn).update(key=line.delivery_id, begun=False)  # a line of its own
        Turn.objects.filter(pk__in=over.values(), key__in=list(over)).delete()
        rest = Turn.objects.filter(destination_id=destination_id, key__in=list(over))
        firsts = dict(_lowest(rest)) if over else {}
    return found


def _heads(destination_id: UUID, firsts: Mapping[UUID, int]) -> Iterator[tuple[UUID, Line]]:
    """Who has begun comes first: a lower turn may have been committed since."""
    begun = Turn.objects.filter(destination_id=destination_id, begun=True, key__in=list(firsts))
    turns = {**firsts, **dict(begun.values_list("key", "pk"))}
    places = list(Turn.objects.filter(pk__in=turns.values()).values_list("pk", "key", "delivery_id"))
    heads = _states([delivery_id for _, _, delivery_id in places])
    for turn, key, delivery_id in places:
        head = heads.get(delivery_id, GONE)
        yield key, Line(turn, delivery_id, replace(head, aside=True) if key == delivery_id else head)


def _states(delivery_ids: Sequence[UUID]) -> dict[UUID, Head]:
    rows = Delivery.objects.filter(pk__in=delivery_ids).values_list("pk", "state", "due_at", "failures")
    return {pk: Head(State(state), due_at, failures) for pk, state, due_at, failures in rows}
