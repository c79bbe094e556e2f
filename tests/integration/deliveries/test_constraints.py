"""The database refuses every row that the table of states knows nothing of."""

from datetime import datetime
from itertools import product
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction

from apps.accounts.models import Project
from apps.deliveries.models import Attempt, Delivery
from apps.deliveries.states import FINAL, State
from apps.kernel.clock import now
from apps.kernel.ids import new_uuid
from tests.integration.cast import a_delivery, a_destination, an_event

pytestmark = pytest.mark.django_db


def refused(delivery: Delivery) -> bool:
    try:
        with transaction.atomic():
            delivery.save(force_insert=True)
    except IntegrityError:
        return True
    return False


def row(state: str, claim: UUID | None, lease_until: datetime | None, finished_at: datetime | None) -> Delivery:
    ids = {name: new_uuid() for name in ("project_id", "event_id", "destination_id")}
    return Delivery(state=state, claim=claim, lease_until=lease_until, finished_at=finished_at, **ids)


@pytest.mark.parametrize("state", State)
def test_a_state_allows_exactly_the_columns_that_go_with_it(state: State) -> None:
    moment = now()
    allowed = [
        (claim is not None, lease is not None, finished is not None)
        for claim, lease, finished in product((None, new_uuid()), (None, moment), (None, moment))
        if not refused(row(state, claim, lease, finished))
    ]
    held = state is State.SENDING
    assert allowed == [(held, held, state in FINAL)]


@pytest.mark.parametrize("state", ["", "lost", "READY", "Sending"])
def test_no_other_state(state: str) -> None:
    assert refused(row(state, None, None, None))
    assert refused(row(state, None, None, now()))


def test_one_delivery_of_an_event_to_a_destination(project: Project) -> None:
    event, destination = an_event(project), a_destination(project)
    a_delivery(event, destination)
    with pytest.raises(IntegrityError), transaction.atomic():
        a_delivery(event, destination, State.DEAD)


def test_one_attempt_of_each_number(project: Project) -> None:
    delivery = a_delivery(an_event(project), a_destination(project))
    fields = {"outcome": "failed", "response_body": b"", "started_at": now(), "duration_ms": 1}
    Attempt.objects.create(delivery=delivery, number=1, **fields)
    Attempt.objects.create(delivery=delivery, number=2, **fields)
    with pytest.raises(IntegrityError), transaction.atomic():
        Attempt.objects.create(delivery=delivery, number=2, **fields)


@pytest.mark.database("mysql")
def test_where_indexes_have_no_conditions_the_state_leads_them() -> None:
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "deliveries_delivery")
    indexes = {name: one["columns"] for name, one in found.items() if name.startswith("delivery_")}
    assert indexes["delivery_lane"] == ["destination_id", "state", "due_at"]
    assert indexes["delivery_leased"] == ["state", "lease_until"]
    assert indexes["delivery_failed_by_project"] == ["project_id", "state", "id"]
