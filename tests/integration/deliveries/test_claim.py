"""Claiming: what is due and wanted, once, by one engine."""

from collections import Counter
from datetime import datetime, timedelta
from threading import Event as Signal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import Project
from apps.deliveries import store
from apps.deliveries.models import Delivery
from apps.deliveries.states import Edge, State
from apps.deliveries.store import Claimed
from apps.destinations.models import Destination, Status
from apps.destinations.services import destination_delete
from apps.events.models import Event
from apps.kernel.clock import now
from tests.integration.cast import ACTOR, a_delivery, a_destination, a_project, an_event
from tests.integration.threads import PATIENCE, at_once

LEASE = timedelta(seconds=60)


MUCH = 1_000_000
ALL = 1_000


def claim(limit: int = 100, *destinations: Destination, bytes_left: int = MUCH) -> list[Claimed]:
    """What is due, so many at each of these, or of all there are."""
    ids = [one.pk for one in destinations] or list(Destination.objects.values_list("pk", flat=True))
    moment = now()
    asked = dict.fromkeys(ids, limit)
    return store.claim(asked, limit=ALL, now=moment, lease_until=moment + LEASE, bytes_left=bytes_left)


def due(project: Project, destination: Destination, at: datetime | None = None) -> UUID:
    return a_delivery(an_event(project), destination, due_at=at or now()).pk


@pytest.mark.django_db
def test_what_is_claimed_is_held_until_the_lease_ends(project: Project) -> None:
    destination = a_destination(project)
    pk, moment = due(project, destination), now()
    [claimed] = store.claim({destination.pk: 10}, limit=ALL, now=moment, lease_until=moment + LEASE, bytes_left=MUCH)
    row = Delivery.objects.get()
    assert (row.pk, row.state, row.reason, row.lease_until) == (pk, State.SENDING, Edge.CLAIMED, moment + LEASE)
    assert row.claim == claimed.claim is not None
    assert (row.attempts, row.finished_at) == (0, None)


@pytest.mark.django_db
def test_longest_due_first_and_no_more_than_asked(project: Project) -> None:
    destination, moment = a_destination(project), now()
    rows = [due(project, destination, moment - timedelta(seconds=age)) for age in (1, 4, 2, 3)]
    assert {one.id for one in claim(limit=2)} == {rows[1], rows[3]}
    assert {one.id for one in claim(limit=10)} == {rows[0], rows[2]}
    assert claim() == []


@pytest.mark.django_db
def test_each_claim_has_an_id_of_its_own(project: Project) -> None:
    destination = a_destination(project)
    for _ in range(3):
        due(project, destination)
    one, two, three = (claim(limit=1)[0].claim for _ in range(3))
    assert len({one, two, three}) == 3


SKIPPED: dict[str, dict[str, Any]] = {
    "not due yet": {"due_at": lambda: now() + timedelta(seconds=5)},
    "being sent": {"state": State.SENDING},
    "being sent, its lease over": {"state": State.SENDING, "lease_until": lambda: now() - LEASE},
    "delivered": {"state": State.DELIVERED},
    "dead": {"state": State.DEAD},
    "cancelled": {"state": State.CANCELLED},
}


@pytest.mark.django_db
@pytest.mark.parametrize("fields", SKIPPED.values(), ids=SKIPPED.keys())
def test_what_is_not_claimed(project: Project, fields: dict[str, Any]) -> None:
    destination = a_destination(project)
    a_delivery(an_event(project), destination, **{k: v() if callable(v) else v for k, v in fields.items()})
    wanted = due(project, destination)
    assert [one.id for one in claim()] == [wanted]


@pytest.mark.django_db
@pytest.mark.parametrize("status", [Status.PAUSED, Status.DISABLED])
def test_the_deliveries_of_a_destination_that_rests_wait(project: Project, status: Status) -> None:
    resting, enabled = a_destination(project), a_destination(project)
    due(project, resting, now() - timedelta(hours=1))
    wanted = due(project, enabled)
    Destination.objects.filter(pk=resting.pk).update(status=status)
    assert [one.id for one in claim()] == [wanted]
    Destination.objects.filter(pk=resting.pk).update(status=Status.ENABLED)
    assert len(claim()) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("status", Status)
def test_those_of_a_deleted_one_are_claimed_to_be_cancelled(project: Project, status: Status) -> None:
    destination = a_destination(project)
    pk = due(project, destination)
    Destination.objects.filter(pk=destination.pk).update(status=status)
    destination_delete(destination=destination, actor=ACTOR)
    assert [one.id for one in claim()] == [pk]


@pytest.mark.django_db
def test_all_that_sending_needs_comes_along(project: Project) -> None:
    event = an_event(project, data=b'{"a":1}', traceparent="00-1-2-01")
    row = a_delivery(event, a_destination(project), attempts=3, failures=2)
    orphan = a_delivery(an_event(project), a_destination(project))
    Event.objects.filter(pk=orphan.event_id).delete()
    found = {one.id: one for one in claim()}
    one = found[row.pk]
    assert (one.project_id, one.event_id, one.destination_id) == (project.pk, event.pk, row.destination_id)
    assert (one.attempts, one.failures, one.event_type, one.time) == (3, 2, event.type, event.time)
    assert (one.data, one.traceparent) == (b'{"a":1}', "00-1-2-01")
    assert found[orphan.pk][-4:] == (None, None, None, None)


@pytest.mark.django_db
def test_each_destination_gives_what_it_is_asked_for(project: Project) -> None:
    one, two, other = (a_destination(project) for _ in range(3))
    for destination in (one, two, other) * 4:
        due(project, destination)
    moment = now()
    asked = {one.pk: 1, two.pk: 3}
    claimed = store.claim(asked, limit=ALL, now=moment, lease_until=moment + LEASE, bytes_left=MUCH)
    assert Counter(row.destination_id for row in claimed) == asked
    assert Delivery.objects.filter(state=State.SENDING).count() == 4


@pytest.mark.django_db
def test_a_claim_ends_where_it_is_told_to(project: Project) -> None:
    several = [a_destination(project) for _ in range(4)]
    for destination in several * 2:
        due(project, destination)
    asked, moment = {one.pk: 2 for one in several}, now()
    claimed = store.claim(asked, limit=5, now=moment, lease_until=moment + LEASE, bytes_left=MUCH)
    assert len(claimed) == Delivery.objects.filter(state=State.SENDING).count() == 5


@pytest.mark.django_db
def test_data_comes_for_as_many_as_there_is_room_for(project: Project) -> None:
    destination = a_destination(project)
    for _ in range(5):
        a_delivery(an_event(project, data=b"x" * 1_000), destination)
    assert sum(len(row.data or b"") for row in claim(5, bytes_left=2_500)) == 2_000
    Delivery.objects.update(state=State.READY, claim=None, lease_until=None)
    assert sum(len(row.data or b"") for row in claim(5, bytes_left=10)) == 1_000  # one in any case


@pytest.mark.django_db
def test_a_claim_of_one_destination_costs_the_same_however_many_it_takes(project: Project) -> None:
    destination = a_destination(project)
    for _ in range(21):
        due(project, destination)
    store.ordered_among([destination.pk])  # asked once in the life of a process

    def cost(limit: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert len(claim(limit, destination)) == limit
        return len(captured)

    assert cost(1) == cost(20)


@pytest.mark.django_db
def test_a_look_finds_where_something_is_due_and_goes_round(project: Project) -> None:
    destinations = sorted((a_destination(project) for _ in range(6)), key=lambda one: one.pk)
    for destination in destinations[:5]:
        for _ in range(3):
            due(project, destination)
    later, resting, deleted = destinations[1], destinations[2], destinations[3]
    Delivery.objects.filter(destination=later).update(due_at=now() + LEASE)
    Destination.objects.filter(pk=resting.pk).update(status=Status.PAUSED)
    destination_delete(destination=deleted, actor=ACTOR)
    wanted = {one.pk for one in (destinations[0], deleted, destinations[4])}
    look = store.due_destinations(now=now(), limit=100)
    assert (set(look.due), look.reached) == (wanted, None)
    found, reached, looks = set[UUID](), None, 0
    while reached or not looks:
        due_ones, reached = store.due_destinations(now=now(), limit=2, after=reached)
        found |= set(due_ones)
        looks += 1
    assert found == wanted
    assert looks > 1


@pytest.mark.django_db
def test_since_when_the_oldest_waits(project: Project) -> None:
    enabled, resting, moment = a_destination(project), a_destination(project), now()
    assert store.oldest_due(now=moment) is None
    due(project, resting, moment - timedelta(hours=1))
    Destination.objects.filter(pk=resting.pk).update(status=Status.PAUSED)
    due(project, enabled, moment + LEASE)
    assert store.oldest_due(now=moment) is None
    for age in (1, 5, 3):
        due(project, enabled, moment - timedelta(seconds=age))
    assert store.oldest_due(now=moment) == moment - timedelta(seconds=5)


@pytest.mark.django_db(transaction=True)
@pytest.mark.database("postgresql", "mysql")
def test_rows_another_engine_holds_locked_are_skipped_not_waited_for() -> None:
    project = a_project()
    destination = a_destination(project)
    locked, free = due(project, destination, now() - LEASE), due(project, destination)
    holds, release = Signal(), Signal()

    def hold() -> list[UUID]:
        with transaction.atomic():
            rows = list(Delivery.objects.select_for_update().filter(pk=locked).values_list("pk", flat=True))
            holds.set()
            assert release.wait(PATIENCE)
        return rows

    def take() -> list[UUID]:
        assert holds.wait(PATIENCE)
        try:
            return [one.id for one in claim()]
        finally:
            release.set()

    assert at_once([hold, take]) == [[locked], [free]]
    assert [one.id for one in claim()] == [locked]


@pytest.mark.django_db(transaction=True)
def test_engines_side_by_side_share_no_row() -> None:
    project = a_project()
    destination, count = a_destination(project), 120
    for _ in range(count):
        due(project, destination)

    def take_all() -> list[UUID]:
        taken: list[UUID] = []
        while claimed := claim(limit=7):
            taken += [one.id for one in claimed]
        return taken

    shares = at_once([take_all] * 4)
    taken = [pk for share in shares if isinstance(share, list) for pk in share]
    assert len(taken) == len(set(taken))
    left = len(claim(limit=count))  # an engine may have stopped short while others held what was left
    assert len(taken) + left == count, shares
