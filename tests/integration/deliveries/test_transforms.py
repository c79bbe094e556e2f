"""Transformations from claim to receiver, and their preview: signed over the final bytes, failures tried again."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from apps.accounts.models import Project
from apps.deliveries.models import Attempt, Delivery
from apps.destinations.models import Destination
from apps.destinations.services import destination_change, destination_create
from apps.events.models import Event
from tests.integration.cast import ACTOR, NOWHERE, Answer, Caller, a_delivery, a_destination, an_event, caller
from tests.integration.deliveries.engine_room import attempted, make_due, run_until
from tests.receiver import Received, Receiver

pytestmark = pytest.mark.django_db(transaction=True)
DATA = b'{"total": 250, "name": "Ann"}'
BOMB = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"


def event_of(project: Project) -> Event:
    return an_event(project, data=DATA, source="/bank", consumer="acme")


def a_signed(project: Project, receiver: Receiver, **fields: Any) -> tuple[Destination, str]:
    where = {"url": receiver.url("/hook")}
    return destination_create(project=project, kind="webhook", config=where, event_types=["*"], actor=ACTOR, **fields)


def sent(owner: Caller, receiver: Receiver, **fields: Any) -> Received:
    destination, secret = a_signed(owner.project, receiver, **fields)
    a_delivery(event_of(owner.project), destination)
    run_until(attempted(1))
    [request] = receiver.requests
    sent_at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
    signature = Webhook(secret).sign(request.headers["webhook-id"], sent_at, request.body.decode())
    assert request.headers["webhook-signature"] == signature
    return request


def test_a_path_makes_the_data_within_the_envelope(owner: Caller, receiver: Receiver) -> None:
    request = sent(owner, receiver, transform={"jmespath": "{amount: total}"})
    body = json.loads(request.body)
    assert list(body) == ["type", "timestamp", "data"]
    assert body["data"] == {"amount": 250}


def test_a_template_sees_all_of_the_event(owner: Caller, receiver: Receiver) -> None:
    template = '{"who": {{ event.data.name | tojson }}, "from": {{ [event.source, event.consumer] | tojson }}}'
    request = sent(owner, receiver, transform={"template": template}, policy={"payload_format": "data"})
    assert json.loads(request.body) == {"who": "Ann", "from": ["/bank", "acme"]}


def test_a_raw_template_is_the_body_whole(owner: Caller, receiver: Receiver) -> None:
    transform = {"template": "{{ event.data.name }} paid", "raw": True, "content_type": "text/plain"}
    request = sent(owner, receiver, transform=transform, policy={"payload_format": "cloudevents"})
    assert (request.body, request.headers["content-type"]) == (b"Ann paid", "text/plain")


def test_a_failure_is_told_and_tried_again_with_what_was_mended(owner: Caller, receiver: Receiver) -> None:
    destination, _ = a_signed(owner.project, receiver, transform={"template": "{{ event.data.missing }}"})
    a_delivery(event_of(owner.project), destination)
    run_until(attempted(1))
    [attempt] = Attempt.objects.all()
    assert (attempt.error, attempt.status_code) == ("transform_failed", None)
    assert attempt.detail == "line 1: 'dict object' has no attribute 'missing'"
    assert Delivery.objects.get().state == "ready"
    assert not receiver.requests
    destination_change(destination=destination, transform={"jmespath": "name"}, actor=ACTOR)
    make_due()
    run_until(attempted(1))
    assert json.loads(receiver.requests[0].body)["data"] == "Ann"
    assert Delivery.objects.get().state == "delivered"


def test_others_go_on_while_a_bomb_is_stopped(owner: Caller, receiver: Receiver) -> None:
    hostile, _ = a_signed(owner.project, receiver, transform={"template": BOMB})
    path, _ = a_signed(owner.project, receiver, transform={"jmespath": "name"})
    plain = a_destination(owner.project, receiver.url("/plain"))
    event = event_of(owner.project)
    for destination in (hostile, path, plain):
        a_delivery(event, destination)
    run_until(attempted(3))
    assert len(receiver.requests) == 2
    [failed] = Attempt.objects.filter(delivery__destination=hostile)
    assert (failed.error, failed.detail) == ("transform_failed", "took more than 250 ms")


# The preview

SAMPLE = {"type": "invoice.paid", "data": {"total": 250}}
FILTER, PATH = "event.data.total > 100", {"jmespath": "total"}


def previewed(owner: Caller, where: str = "destinations/preview", **asked: Any) -> Answer:
    return owner.post(where, {"event": SAMPLE, **asked})


def test_a_preview_shows_what_would_be_sent(owner: Caller) -> None:
    found = previewed(owner, filter=FILTER, transform=PATH).body
    assert (found["matches"], found["filter_error"], found["error"]) == (True, None, None)
    assert json.loads(found["body"])["data"] == 250
    assert found["content_type"] == "application/json"
    assert isinstance(found["duration_ms"], int)


def test_the_body_is_the_one_that_is_sent(owner: Caller, receiver: Receiver) -> None:
    destination, _ = a_signed(owner.project, receiver, transform=PATH, policy={"payload_format": "cloudevents_binary"})
    event = event_of(owner.project)
    asked = {"event_id": event.public_id}
    found = owner.post(f"destinations/{destination.public_id}/preview", asked).body
    a_delivery(event, destination)
    run_until(attempted(1))
    [request] = receiver.requests
    assert found["body"].encode() == request.body
    assert found["headers"].items() <= request.headers.items()


PREVIEWS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"matches": True, "error": None}),
    ({"filter": "event.data.total > 1000"}, {"matches": False, "filter_error": None}),
    ({"filter": "event.data.nope > 1"}, {"matches": False, "filter_error": 'Key not found in map : "nope"'}),
    ({"filter": "event.data.map(k, k).size() == 1"}, {"matches": True, "filter_error": None}),
    ({"transform": {"template": BOMB}}, {"body": None, "error": "took more than 250 ms"}),
    ({"transform": {"template": "x"}}, {"body": None}),
    ({"event": {"type": "user.made", "data": 1}}, {"matches": False}),
]


@pytest.mark.parametrize(("asked", "expected"), PREVIEWS, ids=range(len(PREVIEWS)))
def test_previews(owner: Caller, asked: dict[str, Any], expected: dict[str, Any]) -> None:
    destination = a_destination(owner.project, NOWHERE, event_types=["invoice.*"])
    answer = previewed(owner, f"destinations/{destination.public_id}/preview", **asked)
    assert answer.status == 200, answer.content
    assert {name: answer.body[name] for name in expected} == expected
    assert not Delivery.objects.exists()


WRONG: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"event": SAMPLE, "filter": "1 +"}, [("/filter", "invalid")]),
    ({"event": SAMPLE, "transform": {"jmespath": "a..b"}}, [("/transform/jmespath", "invalid")]),
    ({}, [("/event", "invalid")]),
    ({"event": SAMPLE, "event_id": "evt_01m88cmdj0eq496nd2nn928vs7"}, [("/event", "invalid")]),
    ({"event_id": "evt_01m88cmdj0eq496nd2nn928vs7"}, [("/event_id", "not_found")]),
    ({"event": {"type": "a"}}, [("/event/data", "required")]),
]


@pytest.mark.parametrize(("body", "faults"), WRONG, ids=range(len(WRONG)))
def test_what_makes_no_sense_is_refused(owner: Caller, body: object, faults: list[tuple[str, str]]) -> None:
    answer = owner.post("destinations/preview", body)
    assert answer.status in {400, 422}
    assert answer.faults == faults


def test_other_projects_are_not_to_be_seen(owner: Caller, stranger: Caller) -> None:
    theirs = an_event(stranger.project)
    answer = owner.post("destinations/preview", {"event_id": theirs.public_id})
    assert answer.faults == [("/event_id", "not_found")]
    there = a_destination(stranger.project)
    assert previewed(owner, f"destinations/{there.public_id}/preview").status == 404


def test_an_event_of_the_past_is_for_those_who_may_read_events(project: Project) -> None:
    event = an_event(project)
    asked = {"event_id": event.public_id}
    assert caller(project, ["destinations:write"]).post("destinations/preview", asked).status == 403
    assert caller(project, ["destinations:write", "events:read"]).post("destinations/preview", asked).status == 200
