"""Publishing over REST: what a 202 means, and who gets what."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from apps.deliveries.models import Delivery
from apps.deliveries.states import State
from apps.destinations.models import Destination
from apps.destinations.services import destination_disable
from apps.events.models import Event
from apps.kernel.clock import now
from tests.integration.cast import Answer, Caller, a_destination, a_project, caller

pytestmark = pytest.mark.django_db
INVOICE = {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "integer", "minimum": 1}}}


def publish(owner: Caller, event_type: str = "invoice.paid", data: object = 1, **fields: Any) -> Answer:
    return owner.post("events", {"type": event_type, "data": data, **fields})


def accepted(answer: Answer) -> Event:
    assert answer.status == 202, answer.content
    return Event.objects.get(pk=next(one.pk for one in Event.objects.all() if one.public_id == answer.body["id"]))


def destinations_of(event: Event) -> set[Destination]:
    return {row.destination for row in Delivery.objects.filter(event=event)}


def test_every_field_is_kept(owner: Caller) -> None:
    destination, before = a_destination(owner.project), now()
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    body = {
        "type": "invoice.paid", "data": {"a": 1}, "source": "/billing", "subject": "in_42", "consumer": "acme",
        "time": "2026-03-01T13:00:00+01:00", "ordering_key": "acme", "idempotency_key": "k-1",
    }  # fmt: skip
    answer = owner.post("events", body, traceparent=trace)
    assert answer.body == {"id": accepted(answer).public_id, "duplicate": False}
    event = Event.objects.get()
    kept = {name: getattr(event, name) for name in body if name not in {"data", "time"}}
    assert kept == {name: value for name, value in body.items() if name not in {"data", "time"}}
    assert event.time == datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert (event.project, event.traceparent) == (owner.project, trace)
    assert before <= event.received_at <= now()
    delivery = Delivery.objects.get()
    assert (delivery.event, delivery.destination, delivery.project) == (event, destination, owner.project)
    assert (delivery.state, delivery.due_at, delivery.attempts) == (State.READY, event.received_at, 0)


DATA = [
    b"null",
    b'"text"',
    b"[1,2]",
    b"123456789012345678901234567890",
    b'{"f": 1.10, "e": 1E5, "z": -0.0}',
    '{"ü": "\\u00fc"}'.encode(),
    b'{ "spaces" :  [ 1 ,2 ] }',
]


@pytest.mark.parametrize("data", DATA)
def test_data_is_kept_to_the_byte(owner: Caller, data: bytes) -> None:
    event = accepted(owner.post("events", b'{"type": "a", "data": ' + data + b"}"))
    assert bytes(event.data) == data
    assert owner.get(f"events/{event.public_id}").content.endswith(b'"data":' + data + b"}")


def test_cloudevents_structured_and_binary(owner: Caller) -> None:
    envelope: dict[str, Any] = {"specversion": "1.0", "id": "ce-1", "source": "/billing", "type": "a", "data": 1}
    envelope |= {"tenant": "t1"}
    structured = accepted(owner.post("events", envelope, content_type="application/cloudevents+json"))
    assert (structured.source, structured.extensions) == ("/billing", {"tenant": "t1"})
    headers = {"ce_specversion": "1.0", "ce_id": "ce-2", "ce_source": "/billing", "ce_type": "invoice.paid"}
    binary = accepted(owner.post("events", b'{"a":1}', **headers))
    assert (binary.type, bytes(binary.data)) == ("invoice.paid", b'{"a":1}')
    again = owner.post("events", envelope, content_type="application/cloudevents+json")
    assert again.body == {"id": structured.public_id, "duplicate": True}  # source and id are the key


def test_who_gets_it(owner: Caller) -> None:
    everything = a_destination(owner.project)
    invoices = a_destination(owner.project, event_types=["user.*", "invoice.*"])
    acme = a_destination(owner.project, consumer="acme")
    globex = a_destination(owner.project, consumer="globex", event_types=["invoice.paid"])
    a_destination(a_project())  # somebody else's
    wanted: list[tuple[str, str, set[Destination]]] = [
        ("invoice.paid", "", {everything, invoices}),
        ("invoice.paid", "acme", {everything, invoices, acme}),
        ("invoice.paid", "globex", {everything, invoices, globex}),
        ("invoice.made", "globex", {everything, invoices}),
        ("order.made", "acme", {everything, acme}),
        ("order.made", "Acme", {everything}),
    ]
    for event_type, consumer, expected in wanted:
        event = accepted(publish(owner, event_type, consumer=consumer or None))
        assert destinations_of(event) == expected, (event_type, consumer)


def test_nobody_wants_it_and_it_is_accepted_all_the_same(owner: Caller) -> None:
    assert destinations_of(accepted(publish(owner))) == set()


# Each change counts from the very next request


def test_the_next_event_sees_what_changed_about_destinations(owner: Caller) -> None:
    def wanted_by() -> int:
        return len(destinations_of(accepted(publish(owner))))

    assert wanted_by() == 0
    made = owner.post("destinations", {"url": "http://127.0.0.1:9/"}).body
    path = f"destinations/{made['id']}"
    assert wanted_by() == 1
    owner.patch(path, {"event_types": ["user.*"]})
    assert wanted_by() == 0
    owner.patch(path, {"event_types": ["*"]})
    assert wanted_by() == 1
    owner.post(f"{path}/pause")
    assert wanted_by() == 1  # they are made, and wait
    destination_disable(destination_id=Destination.objects.get().pk, reason="gone")
    assert wanted_by() == 0
    owner.post(f"{path}/resume")
    assert wanted_by() == 1
    owner.delete(path)
    assert wanted_by() == 0


def test_the_next_event_sees_what_changed_about_types(owner: Caller) -> None:
    assert publish(owner, data={}).status == 202
    made = owner.post("event-types", {"name": "invoice.paid", "schema": INVOICE}).body
    refused = publish(owner, data={})
    assert (refused.status, refused.body["code"], refused.faults) == (
        422, "schema_mismatch", [("/data", "required")]
    )  # fmt: skip
    assert accepted(publish(owner, data={"amount": 5})).schema_version == 1
    owner.patch(f"event-types/{made['id']}", {"schema": True})
    assert accepted(publish(owner, data={})).schema_version == 2
    assert publish(owner, data={}, dataschema="1").status == 422
    assert accepted(publish(owner, data={"amount": 5}, dataschema="1")).schema_version == 1
    owner.delete(f"event-types/{made['id']}")
    assert accepted(publish(owner, data={})).schema_version is None


def test_a_project_may_require_registered_types() -> None:
    strict = caller(a_project(require_registered_types=True))
    refused = publish(strict)
    assert (refused.status, refused.body["code"], refused.faults) == (
        422, "unregistered_type", [("/type", "unregistered_type")]
    )  # fmt: skip
    strict.post("event-types", {"name": "invoice.paid"})
    assert publish(strict).status == 202


def test_one_projects_types_are_not_anothers(owner: Caller, stranger: Caller) -> None:
    stranger.post("event-types", {"name": "invoice.paid", "schema": INVOICE})
    assert publish(owner, data={}).status == 202


def test_what_is_refused_leaves_nothing_behind(owner: Caller) -> None:
    owner.post("event-types", {"name": "invoice.paid", "schema": INVOICE})
    assert publish(owner, data={}, idempotency_key="k").status == 422
    assert not Event.objects.exists()
    assert publish(owner, data={"amount": 1}, idempotency_key="k").status == 202  # the key was not used up


# Batches


def batch(owner: Caller, *events: dict[str, Any], atomic: str = "") -> Answer:
    return owner.post(f"events/batch{atomic}", {"events": list(events)})


def event(number: object, event_type: str = "invoice.paid", **fields: Any) -> dict[str, Any]:
    return {"type": event_type, "data": {"amount": number}, **fields}


def test_a_batch_answers_for_each_in_order(owner: Caller) -> None:
    a_destination(owner.project)
    owner.post("event-types", {"name": "invoice.paid", "schema": INVOICE})
    earlier = owner.post("events", event(1, idempotency_key="k")).body["id"]
    answer = batch(
        owner,
        event(2),
        event("x"),
        event(1, idempotency_key="k"),
        event(3, idempotency_key="k"),
        {"type": ""},
        event(4),
    )
    assert answer.status == 202
    results = answer.body["results"]
    assert [one["status"] for one in results] == [
        "accepted", "rejected", "duplicate", "rejected", "rejected", "accepted"
    ]  # fmt: skip
    assert results[2]["id"] == earlier
    assert [one["error"] is None for one in results] == [True, False, True, False, False, True]
    pointers = [{fault["pointer"] for fault in one["error"]["errors"]} for one in results if one["error"]]
    assert pointers == [
        {"/events/1/data/amount"}, {"/events/3/idempotency_key"}, {"/events/4/type", "/events/4/data"}
    ]  # fmt: skip
    assert [one["error"]["status"] for one in results if one["error"]] == [422, 422, 422]
    assert Event.objects.count() == Delivery.objects.count() == 3


def test_the_same_key_twice_in_a_batch(owner: Caller) -> None:
    a_destination(owner.project)
    answer = batch(
        owner, event(1, idempotency_key="k"), event(1, idempotency_key="k"), event(2, idempotency_key="k"), event(1)
    )
    first, second, third, fourth = answer.body["results"]
    assert (first["status"], second["status"], third["status"], fourth["status"]) == (
        "accepted", "duplicate", "rejected", "accepted"
    )  # fmt: skip
    assert first["id"] == second["id"] != fourth["id"]
    assert third["error"]["code"] == "idempotency_key_reused"
    assert Event.objects.count() == Delivery.objects.count() == 2


def test_atomic_all_or_none(owner: Caller) -> None:
    owner.post("event-types", {"name": "invoice.paid", "schema": INVOICE})
    refused = batch(owner, event(1), event(0), {"type": "a"}, atomic="?atomic=true")
    assert (refused.status, refused.body["code"]) == (422, "batch_refused")
    assert {pointer for pointer, _ in refused.faults} == {"/events/1/data/amount", "/events/2/data"}
    assert not Event.objects.exists()
    answer = batch(owner, event(1), event(2), atomic="?atomic=true")
    assert [one["status"] for one in answer.body["results"]] == ["accepted", "accepted"]


def test_atomic_minds_keys_used_before(owner: Caller) -> None:
    owner.post("events", event(1, idempotency_key="k"))
    refused = batch(owner, event(5), event(2, idempotency_key="k"), atomic="?atomic=true")
    assert (refused.status, refused.faults) == (422, [("/events/1/idempotency_key", "idempotency_key_reused")])
    assert Event.objects.count() == 1
    answer = batch(owner, event(5), event(1, idempotency_key="k"), atomic="?atomic=true")  # a repeat is no fault
    assert [one["status"] for one in answer.body["results"]] == ["accepted", "duplicate"]


@pytest.mark.parametrize("content_type", ["application/cloudevents-batch+json", "Application/CloudEvents-Batch+JSON"])
@pytest.mark.parametrize("atomic", ["", "?atomic=true"])
def test_cloudevents_in_a_batch_point_from_its_root(owner: Caller, content_type: str, atomic: str) -> None:
    good = {"specversion": "1.0", "id": "1", "source": "/b", "type": "a", "data": 1}
    bad = {**good, "id": "2", "type": ""}
    answer = owner.post(f"events/batch{atomic}", [good, bad], content_type=content_type)
    error = answer.body if atomic else answer.body["results"][1]["error"]
    assert [fault["pointer"] for fault in error["errors"]] == ["/1/type"]


@pytest.mark.parametrize("atomic", ["?atomic=yes", "?atomic=", "?atomic=TRUE"])
def test_atomic_is_true_or_false(owner: Caller, atomic: str) -> None:
    answer = batch(owner, event(1), atomic=atomic)
    assert (answer.status, answer.faults) == (422, [("?atomic", "invalid")])


@pytest.mark.parametrize(
    ("events", "status"), [(0, 422), (1_000, 202), (1_001, 413)], ids=["none", "as many as may be", "one too many"]
)
def test_how_many_a_batch_holds(owner: Caller, events: int, status: int) -> None:
    assert batch(owner, *[event(1)] * events).status == status
    assert Event.objects.count() == (events if status == 202 else 0)


def test_a_body_without_a_length_is_not_read(owner: Caller) -> None:
    answer = owner.post("events", {"type": "a", "data": 1}, transfer_encoding="chunked")
    assert (answer.status, answer.body["code"]) == (411, "length_required")


def test_what_a_document_reader_would_read(owner: Caller) -> None:
    """The fields the OpenAPI document promises are those of the parser."""
    document = json.loads(owner.get("schema", accept="application/vnd.oai.openapi+json").content)
    schema = document["paths"]["/api/v1/events"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    least: dict[str, Any] = dict.fromkeys(schema["properties"], "1")
    least |= {"type": "a.b", "time": "2026-03-01T12:00:00Z"}
    assert owner.post("events", least).status == 202
