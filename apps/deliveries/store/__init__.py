"""The engine's reads and writes, in sets: what is due, claim, settle, give back, rescue.

Every write compares and sets, or locks first what it compares. PostgreSQL has statements of its own for what every
delivery costs; the others share the portable ones.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from types import ModuleType
from typing import Any
from uuid import UUID

from django.db import DatabaseError, InterfaceError, connection

from apps.deliveries.store import ordered, portable, postgres
from apps.deliveries.store.edges import (
    begun_again,
    cancel,
    deliveries_for,
    discard,
    give_back,
    hasten,
    lengthen,
    replay,
    rescue,
)
from apps.deliveries.store.lines import join_lines, join_lines_again, known_as_ordered, ordered_among
from apps.deliveries.store.rows import Claimed, Look, Settlement, Tried

__all__ = [
    "Claimed",
    "Look",
    "Settlement",
    "Tried",
    "begun_again",
    "cancel",
    "claim",
    "deliveries_for",
    "discard",
    "due_destinations",
    "give_back",
    "given_back_on_fault",
    "hasten",
    "join_lines",
    "join_lines_again",
    "known_as_ordered",
    "lengthen",
    "oldest_due",
    "ordered_among",
    "replay",
    "rescue",
    "settle",
]


def _statements() -> ModuleType:
    return postgres if connection.vendor == "postgresql" else portable


def due_destinations(*, now: datetime, limit: int, after: UUID | None = None) -> Look:
    """Destinations that have deliveries due and may be claimed for: `limit` are looked at, in order of id past `after`.

    What it costs does not depend on how many deliveries wait, nor on how many there are.
    """
    found: Look = _statements().due_destinations(now=now, limit=limit, after=after)
    return found


def oldest_due(*, now: datetime) -> datetime | None:
    """Since when the delivery due longest has waited, of those that may be claimed; None when nothing is due.

    With very many destinations waiting, only some thousands of them are asked: health pages must stay quick.
    """
    found: datetime | None = _statements().oldest_due(now=now)
    return found


def claim(
    asked: Mapping[UUID, int],
    *,
    limit: int,
    now: datetime,
    lease_until: datetime,
    bytes_left: int,
    limited: Collection[UUID] = (),
    probed: Collection[UUID] = (),
) -> list[Claimed]:
    """Take due deliveries, for each destination as many as asked for, longest due first, with their events.

    With `limit` of them it ends, whatever the destinations that it has not come to have.

    Data comes along for as many as have `bytes_left` together, and in any case for one. Destinations that rest are
    passed over; of deleted ones they are taken, to be cancelled. Engines beside this one skip the rows locked here.

    Passed over, too, are those with a limit that are not among `limited`, and those whose breaker is not closed that
    are not among `probed`: for these the transaction around holds the locks.
    """
    how: dict[str, Any] = {"now": now, "lease_until": lease_until, "limited": limited, "probed": probed}
    lines = ordered_among(asked)
    plain = {one: wanted for one, wanted in asked.items() if one not in lines} if lines else asked
    claimed: list[Claimed] = []
    with given_back_on_fault(claimed):
        if plain:
            claimed += _statements().claim(plain, limit=limit, bytes_left=bytes_left, **how)
        if lines:
            bytes_left -= _data_of(claimed)
        for one in filter(lines.__contains__, asked):  # each in a transaction of its own
            if len(claimed) >= limit or (claimed and bytes_left <= 0):
                break
            rows = ordered.claim({one: asked[one]}, limit=limit - len(claimed), bytes_left=bytes_left, **how)
            bytes_left -= _data_of(rows)
            claimed += rows
    return claimed


def _data_of(rows: Sequence[Claimed]) -> int:
    return sum(len(one.data or b"") for one in rows)


@contextmanager
def given_back_on_fault(claimed: list[Claimed]) -> Iterator[None]:
    """Should the block raise, return what it claimed, where the database can be had: nobody else knows of it.

    Otherwise its lease must end first, and it would count as a death of its engine.
    """
    try:
        yield
    except Exception:
        with suppress(DatabaseError, InterfaceError):
            connection.close_if_unusable_or_obsolete()  # no more than the connection may be broken
            give_back((row.id, row.claim) for row in claimed)
        raise


def settle(settlements: Sequence[Settlement], *, now: datetime) -> list[bool]:
    """Write what became of the attempts; says for each, in its place, whether it was written.

    A settlement whose claim does not hold the delivery any more (its lease ran out, or a person cancelled it) is
    left out: another engine may be sending it at this moment.
    """
    written: list[bool] = _statements().settle(settlements, now=now)
    return written
