"""The payload formats: read back by the CloudEvents project's own library, to the byte what the producer wrote."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_binary_event, from_structured_event
from hypothesis import given
from hypothesis import strategies as st

from apps.deliveries.payload import message_of
from apps.destinations.kinds import Attributes, Event
from apps.destinations.policy import PayloadFormat

TIME = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
DATA = b'{"amount": 1.10,  "big":123456789012345678901234567890, "text":"\xc3\x9c"}'
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
FULL = Attributes("/bank/ledger", 'account/7 ü%"', "acme", 2, {"region": "eu", "priority": "5"})


def event(attributes: Attributes | None = FULL, traceparent: str = TRACE) -> Event:
    return Event("evt_01h455vb4pex5vsknk084sn02q", "invoice.paid", TIME, UUID(int=7), traceparent, attributes)


def as_http(form: PayloadFormat, one: Event) -> HTTPMessage:
    sent = message_of(form, one, DATA)
    return HTTPMessage({"content-type": sent.content_type, **dict(sent.headers)}, sent.body)


def read_back(form: PayloadFormat, one: Event) -> Any:
    reading = from_structured_event if form is PayloadFormat.CLOUDEVENTS else from_binary_event
    return reading(as_http(form, one))


@pytest.mark.parametrize("form", [PayloadFormat.CLOUDEVENTS, PayloadFormat.CLOUDEVENTS_BINARY])
def test_a_cloudevent_says_all_there_is(form: PayloadFormat) -> None:
    found = read_back(form, event())
    assert found.get_attributes() == {
        "specversion": "1.0",
        "id": "evt_01h455vb4pex5vsknk084sn02q",
        "source": "/bank/ledger",
        "type": "invoice.paid",
        "subject": 'account/7 ü%"',
        "time": TIME,
        "datacontenttype": "application/json",
        "dataschema": "urn:trunkline:prj_00000000000000000000000007:invoice.paid/2",
        "region": "eu",
        "priority": "5",
        "partitionkey": "acme",
        "traceparent": TRACE,
    }
    data = found.get_data()
    assert (data if isinstance(data, dict) else json.loads(data)) == json.loads(DATA)


@pytest.mark.parametrize("form", [PayloadFormat.CLOUDEVENTS, PayloadFormat.CLOUDEVENTS_BINARY])
def test_an_event_without_a_source_has_its_project_s(form: PayloadFormat) -> None:
    found = read_back(form, event(Attributes(), traceparent="")).get_attributes()
    assert found["source"] == "/projects/prj_00000000000000000000000007"
    assert not {"subject", "dataschema", "partitionkey", "traceparent"} & set(found)


@pytest.mark.parametrize("form", PayloadFormat)
def test_the_data_is_there_to_the_byte(form: PayloadFormat) -> None:
    message = message_of(form, event(), DATA)
    assert message.data == DATA
    assert DATA in message.body
    assert message == message_of(form, event(), DATA)


def test_the_labels() -> None:
    types = {form: message_of(form, event(), DATA).content_type for form in PayloadFormat}
    assert types == {
        PayloadFormat.STANDARD: "application/json",
        PayloadFormat.CLOUDEVENTS: "application/cloudevents+json",
        PayloadFormat.CLOUDEVENTS_BINARY: "application/json",
        PayloadFormat.DATA: "application/json",
    }
    assert message_of(PayloadFormat.DATA, event(), DATA).body == DATA
    assert message_of(PayloadFormat.CLOUDEVENTS_BINARY, event(), DATA).body == DATA


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_attribute_can_start_another_header(source: str, value: str) -> None:
    """HTTP binding 3.1.3.2: what is not printable ASCII, a space, a quote or a percent sign is percent-encoded."""
    safe = source.encode("utf-8", "replace").decode()
    one = event(Attributes(safe, extensions={"more": value.encode("utf-8", "replace").decode()}))
    for name, text in message_of(PayloadFormat.CLOUDEVENTS_BINARY, one, DATA).headers:
        assert name.startswith("ce-")
        assert all("!" <= char <= "~" and char != '"' for char in text)


@given(st.dictionaries(st.sampled_from(["id", "source", "type", "time", "specversion", "more"]), st.text(min_size=1)))
def test_an_extension_replaces_no_attribute(extensions: dict[str, str]) -> None:
    found = json.loads(message_of(PayloadFormat.CLOUDEVENTS, event(Attributes("/a", extensions=extensions)), b"1").body)
    assert (found["id"], found["source"], found["type"]) == ("evt_01h455vb4pex5vsknk084sn02q", "/a", "invoice.paid")
    assert found["data"] == 1
