"""Payload formats from claim to receiver: signed in every format, the same on each attempt, one query more at most."""

import json
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from django.db import connection
from django.test.utils import CaptureQueriesContext
from standardwebhooks import Webhook

from apps.accounts.models import Project
from apps.deliveries.engine.parcel import pack
from apps.deliveries.models import Delivery
from apps.deliveries.store import Claimed
from apps.destinations.models import Destination
from apps.destinations.services import destination_create
from apps.events.models import Event
from apps.kernel.clock import now
from apps.kernel.ids import new_uuid
from tests.integration.cast import ACTOR, a_delivery, a_destination, a_project, an_event
from tests.integration.deliveries.engine_room import attempted, make_due, run_until
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)
DATA = b'{"amount": 1.10,  "text":"\xc3\x9c"}'
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def project() -> Project:
    return a_project()


def a_full_event(project: Project) -> Event:
    more = {"source": "/bank/ledger", "subject": "account/7", "extensions": {"region": "eu"}, "traceparent": TRACE}
    return an_event(project, data=DATA, **more)


@pytest.mark.parametrize("form", ["cloudevents", "cloudevents_binary"])
def test_a_cloudevent_arrives_twice_the_same(form: str, receiver: Receiver, project: Project) -> None:
    destination, secret = destination_create(
        project=project,
        kind="webhook",
        config={"url": receiver.url("/flaky/1")},
        event_types=["*"],
        actor=ACTOR,
        policy={"payload_format": form},
    )
    event = a_full_event(project)
    a_delivery(event, destination)
    run_until(attempted(1))
    make_due()
    run_until(attempted(1))
    first, second = receiver.requests
    assert first.body == second.body
    found = from_http_event(HTTPMessage(second.headers, second.body)).get_attributes()
    assert (found["id"], found["source"], found["subject"]) == (event.public_id, "/bank/ledger", "account/7")
    assert (found["region"], found["traceparent"], found["time"]) == ("eu", TRACE, event.time)
    assert second.body.endswith(DATA if form == "cloudevents_binary" else DATA + b"}")
    assert Webhook(secret).verify(second.body, second.headers)
    assert Delivery.objects.get().state == "delivered"


def test_the_data_alone(receiver: Receiver, project: Project) -> None:
    destination = a_destination(project, receiver.url("/hook"), policy={"payload_format": "data"})
    a_delivery(a_full_event(project), destination)
    run_until(attempted(1))
    [request] = receiver.requests
    assert (request.body, request.headers["content-type"]) == (DATA, "application/json")
    assert json.loads(request.body)["amount"] == 1.1


def claimed(event: Event, *destinations: Destination) -> list[Claimed]:
    rest = (now(), now(), event.type, event.time, bytes(event.data), event.traceparent)
    return [Claimed(new_uuid(), new_uuid(), event.project_id, event.pk, one.pk, 0, 0, *rest) for one in destinations]


def packed(*rows: Claimed) -> tuple[list[Any], int]:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        parcels = pack(rows)
    return parcels, sum("events_event" in query["sql"] for query in queries.captured_queries)


def test_only_formats_that_show_more_read_more(project: Project) -> None:
    plain, alone = a_destination(project), a_destination(project, policy={"payload_format": "data"})
    full = a_destination(project, policy={"payload_format": "cloudevents"})
    binary = a_destination(project, policy={"payload_format": "cloudevents_binary"})
    one, other = a_full_event(project), a_full_event(project)
    _, queries = packed(*claimed(one, plain, alone))
    assert queries == 0
    parcels, queries = packed(*claimed(one, plain, full, binary, alone), *claimed(other, full))
    assert queries == 1
    assert [bytes(parcel.message.data) for parcel in parcels] == [DATA] * 5
    assert len({parcel.message.body for parcel in parcels}) == 4
    assert {parcel.message.event.type for parcel in parcels} == {"invoice.paid"}


def test_an_event_that_went_in_between_is_gone(project: Project) -> None:
    event = a_full_event(project)
    rows = claimed(event, a_destination(project, policy={"payload_format": "cloudevents"}))
    event.delete()
    [parcel], _ = packed(*rows)
    assert parcel.target == "event_gone"
