"""CloudEvents in all three modes, made by their own SDK: in at the API, out at the receiver."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from tests.acceptance.client import Answer
from tests.acceptance.project import API, Project, expect
from tests.receiver import Received, Receiver

TIME = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
DATA = {"number": 12, "text": "Übermut \u2028"}


def event(number: int, **extensions: str) -> CloudEvent:
    attributes = {
        "specversion": "1.0",
        "id": f"ce-{number}",
        "source": "/bank/ledger",
        "type": "ledger.booked",
        "subject": "account/7",
        "time": TIME,
        "datacontenttype": "application/json",
        **extensions,
    }
    return CloudEvent(attributes=attributes, data={**DATA, "nth": number})


@pytest.fixture(scope="module", autouse=True)
def destination(project: Project, receiver: Receiver) -> dict[str, Any]:
    return project.destination(receiver.url("/hook"), event_types=["ledger.*"])


def post(project: Project, message: HTTPMessage) -> Answer:
    return project.client.call("POST", f"{API}/events", message.body, message.headers)


def arrived(receiver: Receiver, event_id: str) -> Received:
    def of_event() -> list[Received]:
        return [one for one in list(receiver.requests) if one.headers["webhook-id"] == event_id]

    receiver.wait_until(lambda: bool(of_event()))
    [found] = of_event()
    return found


@pytest.mark.parametrize(("number", "pack"), [(1, to_structured), (2, to_binary)], ids=["structured", "binary"])
def test_one_event(project: Project, receiver: Receiver, number: int, pack: Any) -> None:
    answer = expect(202, post(project, pack(event(number), JSONFormat())))
    found = json.loads(arrived(receiver, answer["id"]).body)
    assert found == {
        "type": "ledger.booked",
        "timestamp": "2026-03-04T05:06:07.000000Z",
        "data": {**DATA, "nth": number},
    }
    kept = expect(200, project.client.get(f"{API}/events/{answer['id']}"))
    assert (kept["source"], kept["subject"]) == ("/bank/ledger", "account/7")


def test_source_and_id_tell_a_repeat_across_the_modes(project: Project, receiver: Receiver) -> None:
    first = expect(202, post(project, to_structured(event(3), JSONFormat())))
    again = expect(202, post(project, to_binary(event(3), JSONFormat())))
    assert first["duplicate"] is False
    assert again == {"id": first["id"], "duplicate": True}
    other = event(3, subject="account/8")
    refused = post(project, to_structured(other, JSONFormat()))
    assert (refused.status, refused.json["code"]) == (422, "idempotency_key_reused")
    arrived(receiver, first["id"])  # once


def test_a_trace_travels_from_the_producer_to_the_receiver(project: Project, receiver: Receiver) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    answer = expect(202, post(project, to_structured(event(4, traceparent=trace), JSONFormat())))
    assert arrived(receiver, answer["id"]).headers["traceparent"].split("-")[1] == trace.split("-")[1]


def test_a_batch_answers_for_each_in_its_place(project: Project, receiver: Receiver) -> None:
    bodies = [json.loads(to_structured(event(number), JSONFormat()).body) for number in (5, 6, 5)]
    broken = {**bodies[0], "specversion": "0.3"}
    body = json.dumps([bodies[0], broken, bodies[1], bodies[2]]).encode()
    answer = project.client.post_bytes(f"{API}/events/batch", body, "application/cloudevents-batch+json")
    results = expect(202, answer)["results"]
    assert [one["status"] for one in results] == ["accepted", "rejected", "accepted", "duplicate"]
    assert [fault["pointer"] for fault in results[1]["error"]["errors"]] == ["/1/specversion"]
    assert results[3]["id"] == results[0]["id"]
    for number, result in zip((5, 6), (results[0], results[2]), strict=True):
        assert json.loads(arrived(receiver, result["id"]).body)["data"]["nth"] == number


def test_all_or_none(project: Project) -> None:
    good, bad = (json.loads(to_structured(event(number), JSONFormat()).body) for number in (7, 8))
    del bad["source"]
    body = json.dumps([good, bad]).encode()
    batch = f"{API}/events/batch?atomic=true"
    refused = project.client.post_bytes(batch, body, "application/cloudevents-batch+json")
    assert refused.status == 422
    assert [(fault["pointer"], fault["code"]) for fault in refused.json["errors"]] == [("/1/source", "required")]
    first = expect(202, post(project, to_structured(event(7), JSONFormat())))
    assert first["duplicate"] is False, "the good one of the refused batch was not to be kept"
