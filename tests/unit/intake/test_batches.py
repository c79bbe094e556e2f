"""Batches: what is wrong with one event stays its own affair, what is wrong around them refuses all."""

import json
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent as SDKEvent
from hypothesis import given
from hypothesis import strategies as st

from apps.intake.parsing import parse_batch, parse_event
from apps.intake.parsing.limits import MAX_BATCH, MAX_BODY_BYTES
from apps.intake.submission import Submission
from apps.kernel.errors import Invalid, Malformed, Problem, TooLarge, Unsupported

JSON = "application/json"
CLOUDEVENTS = "application/cloudevents-batch+json"
FINE = b'{"type": "a", "data": 1}'
FINE_CLOUDEVENT = b'{"specversion": "1.0", "id": "1", "source": "/s", "type": "a", "data": 1}'

type Told = list[tuple[str, str]]


def enveloped(*events: bytes) -> bytes:
    return b'{ "events" : [' + b" ,\n".join(events) + b"] }"


def bare(*events: bytes) -> bytes:
    return b"[" + b",".join(events) + b" ]"


def told(results: list[Submission | Problem]) -> list[Told | None]:
    return [
        [(fault.pointer, fault.code) for fault in result.faults] if isinstance(result, Problem) else None
        for result in results
    ]


def test_events_come_back_in_order_each_as_if_it_came_alone() -> None:
    events = [b'{"type": "a%d", "data":  [ %d ]}' % (n, n) for n in range(50)]
    assert parse_batch(JSON, {}, enveloped(*events)) == [parse_event(JSON, {}, event) for event in events]


def test_cloudevents_come_back_in_order_each_as_if_it_came_alone() -> None:
    events = [FINE_CLOUDEVENT.replace(b'"1"', b'"%d"' % n) for n in range(50)]
    expected = [parse_event("application/cloudevents+json", {}, event) for event in events]
    assert parse_batch(CLOUDEVENTS + "; charset=utf-8", {}, bare(*events)) == expected


def test_the_requests_trace_is_each_events_and_its_idempotency_key_is_none_of_theirs() -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    headers = {"traceparent": trace, "idempotency-key": "k"}
    keyed = b'{"type": "a", "data": 1, "idempotency_key": "own"}'
    results = parse_batch(JSON, headers, enveloped(FINE, keyed))
    assert [(one.traceparent, one.idempotency) for one in results if isinstance(one, Submission)] == [
        (trace, ()),
        (trace, ("key", "own")),
    ]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (b"5", [("", "wrong_type")]),
        (b"null", [("", "wrong_type")]),
        (b"[]", [("", "wrong_type")]),
        (b'"events"', [("", "wrong_type")]),
        (b"{}", [("/type", "required"), ("/data", "required")]),
        (b'{"type": "a b", "data": 1, "x": 1}', [("/x", "unknown_field"), ("/type", "invalid_format")]),
        # Here the check of the whole body stops, and each event is looked at alone.
        (b'{"type": "a", "type": "a", "data": 1}', [("/type", "duplicate_member")]),
        (b'{"type": "a", "data": {"b": [{"c": 1, "c": 1}]}}', [("/data/b/0/c", "duplicate_member")]),
        (b'{"type": "a", "data": 1e999}', [("/data", "number_out_of_range")]),
        (b'{"type": "a", "data": ' + b"9" * 5000 + b"}", [("/data", "number_out_of_range")]),
        (b'{"type": "a", "data": ["\\ud800"]}', [("/data/0", "lone_surrogate")]),
        (b'{"type": "a", "data": ["\\\\ud800", "\\udfff"]}', [("/data/1", "lone_surrogate")]),
        (
            b'{"type": "a", "data": ' + b"[" * 64 + b"]" * 64 + b"}",
            [("/data" + "/0" * 63, "too_deep")],
        ),
        (b'{"type": "a", "data": ' + b"[" * 70 + b"]" * 70 + b"}", [("/data" + "/0" * 63, "too_deep")]),
    ],
)
def test_a_fault_stays_with_its_event(event: bytes, expected: Told) -> None:
    results = parse_batch(JSON, {}, enveloped(FINE, event, b'{"type": "b", "data": "\\ud83d\\ude00"}', event))
    assert told(results) == [
        None,
        [(f"/events/1{where}", code) for where, code in expected],
        None,
        [(f"/events/3{where}", code) for where, code in expected],
    ]
    assert isinstance(results[2], Submission)
    assert results[2].data == b'"\\ud83d\\ude00"'


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (b'{"specversion": "1.0", "id": "1", "source": "/s", "type": "a b"}', ("/1/type", "invalid_format")),
        (FINE_CLOUDEVENT.replace(b"1}", b'1, "X": 1}'), ("/1/X", "unknown_field")),
        (FINE_CLOUDEVENT.replace(b"1}", b'1, "data": 1}'), ("/1/data", "duplicate_member")),
        (FINE_CLOUDEVENT.replace(b"1}", b'"\\udead"}'), ("/1/data", "lone_surrogate")),
    ],
)
def test_a_fault_stays_with_its_cloudevent(event: bytes, expected: tuple[str, str]) -> None:
    results = parse_batch(CLOUDEVENTS, {}, bare(FINE_CLOUDEVENT, event, FINE_CLOUDEVENT))
    assert told(results) == [None, [expected], None]


def test_what_is_wrong_with_an_event_is_of_the_same_kind_as_alone() -> None:
    [malformed, invalid] = parse_batch(JSON, {}, enveloped(FINE.replace(b"1", b"1e999"), b"{}"))
    assert isinstance(malformed, Malformed)
    assert isinstance(invalid, Invalid)
    assert malformed.detail.startswith("/events/0/data: ")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        enveloped(FINE, b"{"),
        enveloped(FINE, b'{"type": "a", "data": NaN}'),
        enveloped(FINE, b'{"type": "a", "data": "\xff"}'),
        enveloped(FINE, b"[" * 100_000),
        b"\xef\xbb\xbf" + enveloped(FINE),
        enveloped(FINE).decode().encode("utf-16"),
        b'{"events": [' + FINE + b'], "events": [' + FINE + b"]}",
        b'{"events": [' + FINE + b'], "\\u0065vents": [' + FINE + b"]}",
        # Two envelopes, hidden behind a flaw of one event.
        b'{"events": [' + FINE + b'], "events": [{"type": "a", "data": 1e999}]}',
        b'{"events": [{"type": "a", "data": "\\ud800"}], "events": [' + FINE + b"]}",
        b'{"events": [' + FINE + b'], "x": {"a": 1, "a": 1}}',
    ],
)
def test_a_body_that_cannot_be_told_apart_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        parse_batch(JSON, {}, body)


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        (JSON, b"{}", [("/events", "required")]),
        (JSON, b"[]", [("", "wrong_type")]),
        (JSON, bare(FINE), [("", "wrong_type")]),
        (JSON, b'{"events": null}', [("/events", "required")]),
        (JSON, b'{"events": {}}', [("/events", "wrong_type")]),
        (JSON, b'{"events": [], "atomic": true}', [("/atomic", "unknown_field")]),
        (JSON, b'{"Events": []}', [("/Events", "unknown_field"), ("/events", "required")]),
        (JSON, b'{"events": []}', [("/events", "too_short")]),
        (CLOUDEVENTS, b"[]", [("", "too_short")]),
        (CLOUDEVENTS, b"{}", [("", "wrong_type")]),
        (CLOUDEVENTS, FINE_CLOUDEVENT, [("", "wrong_type")]),
    ],
)
def test_an_envelope_that_is_none_is_invalid(content_type: str, body: bytes, expected: Told) -> None:
    with pytest.raises(Invalid) as caught:
        parse_batch(content_type, {}, body)
    assert told([caught.value]) == [expected]


@pytest.mark.parametrize("flaw", [FINE, b'{"type": "a", "data": 1e999}'])
def test_a_thousand_events_and_no_more(flaw: bytes) -> None:
    assert len(parse_batch(JSON, {}, enveloped(*[FINE] * (MAX_BATCH - 1), flaw))) == MAX_BATCH
    with pytest.raises(TooLarge):
        parse_batch(JSON, {}, enveloped(*[FINE] * MAX_BATCH, flaw))


def test_a_body_over_the_limit_is_too_large() -> None:
    with pytest.raises(TooLarge):
        parse_batch(JSON, {}, b" " * (MAX_BODY_BYTES + 1))


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/cloudevents+json", "application/x+json"])
def test_content_types_that_are_not_taken(content_type: str) -> None:
    with pytest.raises(Unsupported) as caught:
        parse_batch(content_type, {}, enveloped(FINE))
    assert caught.value.headers == {"Accept": f"{JSON}, {CLOUDEVENTS}"}


def test_a_batch_as_the_sdk_would_send_it() -> None:
    """The SDK has no batch mode of its own; a batch is an array of its structured events (JSON format, 4)."""
    sent = [SDKEvent({"id": str(n), "source": "/s", "type": "a.b", "tenant": "t"}, {"n": n}) for n in range(3)]
    body = bare(*(JSONFormat().write(event) for event in sent))
    results = parse_batch(CLOUDEVENTS, {}, body)
    assert [(one.idempotency[-1], json.loads(one.data)) for one in results if isinstance(one, Submission)] == [
        (event.get_id(), event.get_data()) for event in sent
    ]


pieces = st.sampled_from([FINE, b"{}", b"5", b'{"type":"a","data":"\\ud800"}', b'{"data":1,"data":1}', b"1e999"])


@given(st.lists(pieces, min_size=1, max_size=6))
def test_every_mixture_is_told_event_by_event(events: list[bytes]) -> None:
    def alone(event: bytes) -> Any:
        try:
            return parse_event(JSON, {}, event)
        except Problem as problem:
            return type(problem), [fault.as_dict() for fault in problem.faults]

    def among(place: str, result: Submission | Problem) -> Any:
        if isinstance(result, Submission):
            return result
        return type(result), [
            {**fault.as_dict(), "pointer": fault.pointer.removeprefix(place)} for fault in result.faults
        ]

    results = parse_batch(JSON, {}, enveloped(*events))
    assert [among(f"/events/{n}", result) for n, result in enumerate(results)] == [alone(e) for e in events]


@given(
    st.binary(max_size=60) | st.text(alphabet='{}[]":,event1.\\udc ', max_size=60).map(str.encode),
    st.sampled_from([JSON, CLOUDEVENTS]),
)
def test_nothing_but_a_problem_is_ever_raised(body: bytes, content_type: str) -> None:
    try:
        assert parse_batch(content_type, {}, body)
    except Problem as problem:
        json.dumps(problem.as_dict()).encode()
