"""A chunk of events, delivered again or for the first time: to one destination, or to all that want them now."""

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import groupby
from time import monotonic
from uuid import UUID

from django.db.models import QuerySet

from apps.deliveries import store
from apps.deliveries.fan_out import INLINE, fan_out_again
from apps.deliveries.inserts import DeliveryRow, deliveries_insert
from apps.deliveries.models import Delivery, FanOut
from apps.deliveries.operations.reading import EventSeen
from apps.deliveries.states import Edge
from apps.deliveries.wakeups import announce
from apps.destinations.models import Destination
from apps.destinations.routing.filters import Filter
from apps.destinations.routing.matching import PatientJudge, Subscription, matched, subscription
from apps.destinations.routing.subject import Subject
from apps.destinations.selectors import candidates
from apps.events.models import OPERATIONAL, Event
from apps.kernel.ids import new_uuid

PATIENCE = 2.0  # seconds that filters may take in one chunk, beyond the last of them
MOST_FAN_OUTS = 10  # replayed events of a project whose deliveries the engines have yet to make

type Pair = tuple[UUID, UUID]  # an event, and a destination


def replay_to(
    destination: Destination, events: Sequence[EventSeen], *, only_matching: bool, now: datetime
) -> tuple[int, int]:
    """How many deliveries were made or are sent again, and how many of the events were taken: all, if time allows."""
    key = destination.consumer.key if destination.consumer else ""
    wish = subscription(destination.pk, key, destination.event_types if only_matching else ["*"], destination.filter)
    asked = wish.filter if only_matching else None
    theirs = [one.pk for one in events if wish.wants(one.type, one.consumer)]
    there = held(theirs, operational=destination.operational)
    wanted, judged = _judged(there, asked) if asked else (there, len(there))
    made = _deliver(destination.project_id, [(pk, destination.pk) for pk in wanted], now)
    return made, len(events) if judged == len(there) else [one.pk for one in events].index(there[judged])


def _judged(event_ids: Sequence[UUID], asked: Filter) -> tuple[list[UUID], int]:
    """Which of them the filter lets through, and how many it was asked about: one at least, all if time allows."""
    wanted: list[UUID] = []
    until = monotonic() + PATIENCE
    for judged, pk in enumerate(event_ids):
        if judged and monotonic() > until:
            return wanted, judged
        if _judge(pk).verdict(asked).holds:
            wanted.append(pk)
    return wanted, len(event_ids)


def replay_to_all(project_id: UUID, events: Sequence[EventSeen], *, most: int, now: datetime) -> tuple[int, int]:
    """The same; no more events are taken where there are `most` deliveries, or many are left to the engines already."""
    there = set(held([one.pk for one in events]))
    pairs: list[Pair] = []
    many: list[UUID] = []  # events
    room, taken, until = _room(project_id), 0, monotonic() + PATIENCE
    wishes: dict[tuple[str, str], list[Subscription]] = {}
    for one in events:
        kind = (one.type, one.consumer)
        if kind not in wishes:
            wishes[kind] = candidates(project_id, *kind, most=INLINE + 1)
        is_many = len(wishes[kind]) > INLINE
        if len(pairs) >= most or (is_many and len(many) >= room) or (taken and monotonic() > until):
            break
        taken += 1
        if is_many:
            many += [one.pk] if one.pk in there else []
        elif one.pk in there:
            pairs += [(one.pk, destination_id) for destination_id in _wanting(one.pk, wishes[kind])]
    for event in Event.objects.defer("data", "extensions").filter(pk__in=many).order_by("pk"):
        fan_out_again(event)
    return _deliver(project_id, pairs, now) + len(many), taken


def _wanting(event_id: UUID, wishes: Sequence[Subscription]) -> list[UUID]:
    """Who of them wants just this one; it is read only where one of them has a filter."""
    if not any(one.filter for one in wishes):
        return [one.destination_id for one in wishes]
    return matched(wishes, _judge(event_id)).wanting


def _judge(event_id: UUID) -> PatientJudge:
    return PatientJudge(Subject.of(Event.objects.get(pk=event_id)))


def _room(project_id: UUID) -> int:
    """Engines make them oldest event first: those of new events must not have to wait for a whole replay."""
    waiting = FanOut.objects.filter(project=project_id, replayed=True)[:MOST_FAN_OUTS].count()
    return MOST_FAN_OUTS - waiting


def held(event_ids: Collection[UUID], *, operational: bool = False) -> list[UUID]:
    """Those of them that are there still; until the transaction's end nobody prunes them.

    Of producers' events, or, for a destination that gets no others, of operational ones.
    """
    rows = Event.objects.select_for_update().filter(pk__in=event_ids).order_by("pk")
    rows = rows.filter(source=OPERATIONAL) if operational else rows.exclude(source=OPERATIONAL)
    return list(rows.values_list("pk", flat=True))


def _deliver(project_id: UUID, pairs: Sequence[Pair], now: datetime) -> int:
    """Send again what ended, make what there isn't; what waits or is in flight is left to it. How many they are.

    Whoever is ordered gets them in the order of the events.
    """
    events, destinations = {event for event, _ in pairs}, {destination for _, destination in pairs}
    earlier = Delivery.objects.filter(event__in=events, destination__in=destinations)
    known = _known(earlier, set(pairs)) if pairs else {}
    keys: dict[UUID, str] = {}
    if store.ordered_among(destinations):
        keys = dict(Event.objects.filter(pk__in=events).values_list("pk", "ordering_key"))
    in_turn = pairs if keys else sorted(pairs, key=known.__contains__)
    count = 0
    for is_known, some in groupby(in_turn, key=known.__contains__):
        if is_known:
            count += store.replay(Delivery.objects.filter(pk__in=[known[pair] for pair in some]), now=now)
        else:
            rows = [_row(project_id, *pair, now) for pair in some]
            deliveries_insert(rows, keys)
            count += len(rows)
    announce(destinations)
    return count


def _known(rows: QuerySet[Delivery], asked: Collection[Pair]) -> dict[Pair, UUID]:
    found = {(event, one): pk for event, one, pk in rows.values_list("event_id", "destination_id", "pk")}
    return {pair: pk for pair, pk in found.items() if pair in asked}


def _row(project_id: UUID, event_id: UUID, destination_id: UUID, now: datetime) -> DeliveryRow:
    return DeliveryRow(new_uuid(), project_id, event_id, destination_id, now, now, reason=Edge.REPLAYED.value)
