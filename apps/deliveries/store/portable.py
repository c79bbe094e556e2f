"""What every delivery costs, by the ORM: for SQLite and MariaDB, in a few statements a set."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import compress
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet, Subquery

from apps.deliveries.models import Attempt, Delivery
from apps.deliveries.states import FINAL, Edge, State, advance
from apps.deliveries.store import guards
from apps.deliveries.store.edges import RELEASED
from apps.deliveries.store.rows import Claimed, Look, Settlement
from apps.destinations.models import Destination
from apps.destinations.selectors import claimable_ids
from apps.events.models import Event
from apps.events.store import data_sizes
from apps.kernel import bulk
from apps.kernel.ids import new_uuid

type Pair = tuple[UUID, UUID]

HELD = ("id", "claim", "project_id", "event_id", "destination_id", "attempts", "failures", "created_at", "due_at")
ATTEMPT = (
    *("id", "delivery_id", "outcome", "number", "status_code", "error", "detail", "response_body"),
    *("started_at", "duration_ms"),
)


def _ready(destination: OuterRef) -> QuerySet[Delivery]:
    return Delivery.objects.filter(destination=destination, state=State.READY)


def due_destinations(*, now: datetime, limit: int, after: UUID | None) -> Look:
    claimable = Destination.objects.filter(guards.worth_a_look(now), pk__in=claimable_ids()).order_by("pk")
    looked_at = list((claimable.filter(pk__gt=after) if after else claimable).values_list("pk", flat=True)[:limit])
    due = Exists(_ready(OuterRef("pk")).filter(due_at__lte=now))
    found = Destination.objects.filter(due, pk__in=looked_at).values_list("pk", flat=True)
    return Look(list(found), looked_at[-1] if len(looked_at) == limit else None)


def oldest_due(*, now: datetime) -> datetime | None:
    first = _ready(OuterRef("pk")).filter(due_at__lte=now).order_by("due_at").values("due_at")[:1]
    each = Destination.objects.filter(guards.flowing(), pk__in=claimable_ids()).annotate(since=Subquery(first))
    return each.filter(since__isnull=False).order_by("since").values_list("since", flat=True).first()


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
    with transaction.atomic():
        wanted = claimable_ids().filter(guards.admitted(limited, probed), pk__in=list(asked))
        lanes = {pk: asked[pk] for pk in wanted.values_list("pk", flat=True)}
        return take(dict(locked(lanes, now, limit)), lease_until=lease_until, bytes_left=bytes_left)


def take(events: Mapping[UUID, UUID], *, lease_until: datetime, bytes_left: int) -> list[Claimed]:
    """Claim those of these deliveries, given with their events, that are ready still, as many as fit."""
    ids, claim_id = list(_fitting(events, bytes_left)), new_uuid()
    Delivery.objects.filter(pk__in=ids, state=State.READY).update(
        state=advance(State.READY, Edge.CLAIMED), reason=Edge.CLAIMED, claim=claim_id, lease_until=lease_until
    )
    return list(_with_events(list(Delivery.objects.filter(pk__in=ids, claim=claim_id).values_list(*HELD))))


def locked(asked: Mapping[UUID, int], now: datetime, left: int) -> Iterator[Pair]:
    """Ids of deliveries and their events, a lane at a time; SQLite has one writer at a time anyhow."""
    for destination_id in asked:
        due = Delivery.objects.filter(destination=destination_id, state=State.READY, due_at__lte=now)
        locked = due.order_by("due_at").select_for_update(skip_locked=True)
        rows = list(locked.values_list("pk", "event_id")[: min(left, asked[destination_id])])
        yield from rows
        if (left := left - len(rows)) <= 0:
            return


def _fitting(events: Mapping[UUID, UUID], bytes_left: int) -> Iterator[UUID]:
    """As many as have room together, and one in any case."""
    sizes = data_sizes(events.values())
    left = bytes_left
    for place, (pk, event_id) in enumerate(events.items()):
        left -= sizes.get(event_id, 0)
        if left >= 0 or not place:
            yield pk


def _with_events(
    rows: Sequence[tuple[UUID, UUID, UUID, UUID, UUID, int, int, datetime, datetime]],
) -> Iterator[Claimed]:
    """Each event is read once, however many deliveries it has."""
    wanted = Event.objects.filter(pk__in={row[3] for row in rows})
    events = {row[0]: row[1:] for row in wanted.values_list("pk", "type", "time", "data", "traceparent")}
    for row in rows:
        yield Claimed(*row, *events.get(row[3], (None, None, None, None)))


@transaction.atomic
def settle(settlements: Sequence[Settlement], *, now: datetime) -> list[bool]:
    held = _lock_held(settlements)
    written = [(settlement.delivery_id, settlement.claim) in held for settlement in settlements]
    won = list(compress(settlements, written))
    for alike, group in _alike(won).items():
        _move(*alike, [settlement.delivery_id for settlement in group], now)
    retries = [one for one in won if one.edge is Edge.FAILED]
    Delivery.objects.bulk_update(
        [Delivery(pk=one.delivery_id, due_at=one.due_at or now) for one in retries], ["due_at"]
    )
    tries = [(new_uuid(), one.delivery_id, str(one.edge), *one.attempt) for one in won if one.attempt]
    bulk.insert(Attempt, ATTEMPT, tries)
    return written


def _lock_held(settlements: Sequence[Settlement]) -> set[tuple[UUID, UUID | None]]:
    """Of all these deliveries, which claim holds them; locked, in one order, so that it stays so."""
    ids = {settlement.delivery_id for settlement in settlements}
    rows = Delivery.objects.select_for_update().filter(pk__in=ids, state=State.SENDING).order_by("pk")
    return set(rows.values_list("pk", "claim"))


type Alike = tuple[Edge, int | None, str, bool]


def _alike(settlements: Iterable[Settlement]) -> dict[Alike, list[Settlement]]:
    """Those that took the same edge with the same answer: one update for each group."""
    found: dict[Alike, list[Settlement]] = defaultdict(list)
    for one in settlements:
        tried = one.attempt
        found[(one.edge, tried.status_code, tried.error, True) if tried else (one.edge, None, "", False)].append(one)
    return found


def _move(edge: Edge, status_code: int | None, error: str, tried: bool, ids: list[UUID], now: datetime) -> None:
    state = advance(State.SENDING, edge)
    Delivery.objects.filter(pk__in=ids).update(
        state=state,
        reason=edge,
        finished_at=now if state in FINAL else None,
        last_status_code=status_code if tried else F("last_status_code"),
        last_error=error if tried else F("last_error"),
        attempts=F("attempts") + int(tried),
        failures=F("failures") + int(tried and edge is Edge.FAILED),
        **RELEASED,
    )
