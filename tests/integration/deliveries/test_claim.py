"""Claiming: what is due and wanted, once, by one engine."""

from collections.abc import Callable
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
from apps.destinations.models import Destination, Status
from apps.destinations.services import destination_delete
from apps.kernel.clock import now
from tests.integration.cast import ACTOR, a_delivery, a_destination, a_project, an_event
from tests.integration.threads import PATIENCE, at_once

LEASE = timedelta(seconds=60)


def claim(limit: int = 100) -> list[Delivery]:
    moment = now()
    return store.claim(limit=limit, now=moment, lease_until=moment + LEASE)


def due(project: Project, destination: Destination, at: datetime | None = None) -> UUID:
    return a_delivery(an_event(project), destination, due_at=at or now()).pk


@pytest.mark.django_db
def test_what_is_claimed_is_held_until_the_lease_ends(project: Project) -> None:
    pk, moment = due(project, a_destination(project)), now()
    [claimed] = store.claim(limit=10, now=moment, lease_until=moment + LEASE)
    row = Delivery.objects.get()
    assert (row.pk, row.state, row.reason, row.lease_until) == (pk, State.SENDING, Edge.CLAIMED, moment + LEASE)
    assert row.claim == claimed.claim is not None
    assert (row.attempts, row.finished_at) == (0, None)


@pytest.mark.django_db
def test_longest_due_first_and_no_more_than_asked(project: Project) -> None:
    destination, moment = a_destination(project), now()
    rows = [due(project, destination, moment - timedelta(seconds=age)) for age in (1, 4, 2, 3)]
    assert {one.pk for one in claim(limit=2)} == {rows[1], rows[3]}
    assert {one.pk for one in claim(limit=10)} == {rows[0], rows[2]}
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
    assert [one.pk for one in claim()] == [wanted]


@pytest.mark.django_db
@pytest.mark.parametrize("status", [Status.PAUSED, Status.DISABLED])
def test_the_deliveries_of_a_destination_that_rests_wait(project: Project, status: Status) -> None:
    resting, enabled = a_destination(project), a_destination(project)
    due(project, resting, now() - timedelta(hours=1))
    wanted = due(project, enabled)
    Destination.objects.filter(pk=resting.pk).update(status=status)
    assert [one.pk for one in claim()] == [wanted]
    Destination.objects.filter(pk=resting.pk).update(status=Status.ENABLED)
    assert len(claim()) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("status", Status)
def test_those_of_a_deleted_one_are_claimed_to_be_cancelled(project: Project, status: Status) -> None:
    destination = a_destination(project)
    pk = due(project, destination)
    Destination.objects.filter(pk=destination.pk).update(status=status)
    destination_delete(destination=destination, actor=ACTOR)
    assert [one.pk for one in claim()] == [pk]


@pytest.mark.django_db
def test_a_claim_costs_three_statements_however_many_it_takes(project: Project) -> None:
    destination = a_destination(project)
    for _ in range(20):
        due(project, destination)
    with CaptureQueriesContext(connection) as captured:
        kinds = [claimed.destination.kind for claimed in claim()]
    assert kinds == ["webhook"] * 20
    statements = [query["sql"] for query in captured if "SAVEPOINT" not in query["sql"]]
    assert len(statements) == 3, statements


@pytest.mark.django_db
def test_one_that_is_cancelled_between_claim_and_read_is_not_carried(project: Project) -> None:
    destination = a_destination(project)
    kept, cancelled = due(project, destination), due(project, destination)

    def cancel_before_reading(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if "JOIN" in sql:  # the third statement, which reads what was claimed
            store.cancel(Delivery.objects.filter(pk=cancelled), now=now())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(cancel_before_reading):
        assert [one.pk for one in claim()] == [kept]
    assert Delivery.objects.get(pk=cancelled).state == State.CANCELLED


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
            return [one.pk for one in claim()]
        finally:
            release.set()

    assert at_once([hold, take]) == [[locked], [free]]
    assert [one.pk for one in claim()] == [locked]


@pytest.mark.django_db(transaction=True)
def test_engines_side_by_side_share_no_row() -> None:
    project = a_project()
    destination, count = a_destination(project), 120
    for _ in range(count):
        due(project, destination)

    def take_all() -> list[UUID]:
        taken: list[UUID] = []
        while claimed := claim(limit=7):
            taken += [one.pk for one in claimed]
        return taken

    shares = at_once([take_all] * 4)
    taken = [pk for share in shares if isinstance(share, list) for pk in share]
    assert len(taken) == len(set(taken))
    left = len(claim(limit=count))  # an engine may have stopped short while others held what was left
    assert len(taken) + left == count, shares
