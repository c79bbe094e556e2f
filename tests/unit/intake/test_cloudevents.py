"""CloudEvents 1.0.2, structured and binary, against the specification's rules and against the official SDK."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings import http
from cloudevents.core.v1.event import CloudEvent as SDKEvent
from hypothesis import given
from hypothesis import strategies as st

from apps.intake.parsing import parse_event
from apps.intake.submission import Submission
from apps.kernel.errors import Invalid, Malformed, Problem, Unsupported

STRUCTURED = "application/cloudevents+json"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OTHER_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
LEAST = {"specversion": "1.0", "id": "1", "source": "/s", "type": "invoice.paid"}


def structured(body: object, **headers: str) -> Submission:
    return parse_event(STRUCTURED, _dashed(headers), json.dumps(body).encode())


def binary(body: bytes = b"{}", content_type: str = "application/json", **headers: str) -> Submission:
    least = {f"ce-{name}": text for name, text in LEAST.items()}
    return parse_event(content_type, least | _dashed(headers), body)


def _dashed(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): text for name, text in headers.items()}


def faults(call: Any, *args: Any, **headers: str) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        call(*args, **headers)
    return [(fault.pointer, fault.code) for fault in caught.value.faults]


def test_every_attribute_arrives() -> None:
    body = LEAST | {
        "time": "2030-01-02T03:04:05Z",
        "subject": "inv_1",
        "datacontenttype": "application/json; charset=utf-8",
        "dataschema": "https://example.com/invoice.paid/2",
        "consumer": "acme",
        "orderingkey": "inv_1",
        "traceparent": OTHER_TRACE,
        "tenant": "t1",
        "urgent": True,
        "level": -7,
        "unset": None,
        "data": {"id": 1},
    }
    assert structured(body, traceparent=TRACE) == Submission(
        type="invoice.paid",
        data=b'{"id": 1}',
        source="/s",
        subject="inv_1",
        time=datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
        consumer="acme",
        ordering_key="inv_1",
        dataschema="https://example.com/invoice.paid/2",
        idempotency=("cloudevents", "/s", "1"),
        traceparent=OTHER_TRACE,
        extensions={"tenant": "t1", "urgent": "true", "level": "-7"},
    )


def test_four_attributes_are_enough() -> None:
    expected = Submission(type="invoice.paid", data=b"null", source="/s", idempotency=("cloudevents", "/s", "1"))
    assert structured(LEAST) == structured(LEAST | {"time": None, "subject": None, "data": None}) == expected
    assert binary(b"", "") == binary(b"") == expected


def test_the_idempotency_key_header_goes_before_source_and_id() -> None:
    assert structured(LEAST, idempotency_key="k").idempotency == ("key", "k")
    assert binary(idempotency_key='"k"').idempotency == ("key", "k")


def test_the_requests_trace_stands_in_for_the_events_own() -> None:
    assert structured(LEAST, traceparent=TRACE).traceparent == TRACE
    assert structured(LEAST | {"traceparent": "broken"}, traceparent=TRACE).traceparent == TRACE
    assert binary(traceparent=TRACE, ce_traceparent=OTHER_TRACE).traceparent == OTHER_TRACE


def test_the_partition_key_is_the_ordering_key() -> None:
    assert structured(LEAST | {"partitionkey": "p"}).ordering_key == "p"
    assert structured(LEAST | {"partitionkey": 5, "orderingkey": "5"}).ordering_key == "5"
    assert faults(structured, LEAST | {"partitionkey": "p", "orderingkey": "o"}) == [("/partitionkey", "conflict")]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"specversion": "0.3"}, [("/specversion", "unsupported")]),
        ({"specversion": 1.0}, [("/specversion", "wrong_type")]),
        ({"specversion": None}, [("/specversion", "required")]),
        ({"id": ""}, [("/id", "too_short")]),
        ({"id": 5}, [("/id", "wrong_type")]),
        ({"id": "i" * 256}, [("/id", "too_long")]),
        ({"source": ""}, [("/source", "too_short")]),
        ({"source": "\n"}, [("/source", "control_character")]),
        ({"type": ""}, [("/type", "invalid_format")]),
        ({"type": "com.example/paid"}, [("/type", "invalid_format")]),
        ({"time": "soon"}, [("/time", "invalid_format")]),
        ({"subject": ""}, [("/subject", "too_short")]),
        ({"dataschema": ""}, [("/dataschema", "too_short")]),
        ({"datacontenttype": "text/xml"}, [("/datacontenttype", "unsupported")]),
        ({"datacontenttype": "application/json; charset=latin-1"}, [("/datacontenttype", "unsupported")]),
        ({"datacontenttype": 5}, [("/datacontenttype", "wrong_type")]),
        ({"data_base64": "AAEC"}, [("/data_base64", "unsupported")]),
        ({"orderingKey": "o"}, [("/orderingKey", "unknown_field")]),
        ({"ordering_key": "o"}, [("/ordering_key", "unknown_field")]),
        ({"": "o"}, [("/", "unknown_field")]),
        ({"x" * 21: "o"}, [("/" + "x" * 21, "unknown_field")]),
        ({"tenant": {"a": 1}}, [("/tenant", "wrong_type")]),
        ({"tenant": [1]}, [("/tenant", "wrong_type")]),
        ({"tenant": 1.5}, [("/tenant", "wrong_type")]),
        ({"tenant": 2**31}, [("/tenant", "out_of_range")]),
        ({"tenant": "t" * 1025}, [("/tenant", "too_long")]),
        ({"tenant": "\u0000"}, [("/tenant", "control_character")]),
        ({"consumer": "c" * 129}, [("/consumer", "too_long")]),
        ({"orderingkey": "o" * 256}, [("/orderingkey", "too_long")]),
        ({f"x{n}": "" for n in range(21)}, [("", "too_many")]),
    ],
)
def test_what_is_refused_is_pointed_to(change: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert faults(structured, LEAST | change) == expected


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
def test_a_missing_attribute_is_named_in_both_modes(name: str) -> None:
    without = {key: text for key, text in LEAST.items() if key != name}
    assert faults(structured, without) == [(f"/{name}", "required")]
    headers = {f"ce-{key}": text for key, text in without.items()}
    assert faults(parse_event, "application/json", headers, b"{}") == [(f"/{name}", "required")]


def test_all_faults_are_told_at_once() -> None:
    body = {"specversion": "2", "id": "", "type": "a b", "data_base64": "AA==", "Tenant": 1}
    assert faults(structured, body, idempotency_key="\n") == [
        ("", "invalid_idempotency_key"),
        ("/specversion", "unsupported"),
        ("/id", "too_short"),
        ("/source", "required"),
        ("/type", "invalid_format"),
        ("/data_base64", "unsupported"),
        ("/Tenant", "unknown_field"),
    ]


@pytest.mark.parametrize("body", [[], [LEAST], "text", None, 5])
def test_structured_mode_is_an_object(body: object) -> None:
    assert faults(structured, body) == [("", "wrong_type")]


def test_structured_data_is_kept_to_the_byte() -> None:
    body = json.dumps(LEAST)[:-1].encode() + b', "data" : [ 1.0,\n "\\u00e9" ] }'
    assert parse_event(STRUCTURED, {}, body).data == b'[ 1.0,\n "\\u00e9" ]'


@pytest.mark.parametrize("content_type", ["application/json", "application/vnd.acme+json", "text/json"])
def test_binary_data_is_the_body_to_the_byte(content_type: str) -> None:
    assert binary(b' {"a":\t1.0}\n', content_type).data == b' {"a":\t1.0}\n'


@pytest.mark.parametrize(
    ("sent", "subject"),
    [
        ("plain", "plain"),
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),  # the example of the HTTP binding, 3.1.3.2
        ("%41unnecessarily", "Aunnecessarily"),
        ("100%25", "100%"),
        ("50%2525", "50%25"),  # one round, not two
        ('"quoted text"', "quoted text"),
        ('"a \\"b\\" \\\\"', 'a "b" \\'),
        ('"', '"'),
        ("%", "%"),
    ],
)
def test_header_values_are_decoded_as_the_binding_says(sent: str, subject: str) -> None:
    assert binary(ce_subject=sent).subject == subject


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"ce_subject": "%C0%A0"}, [("/subject", "encoding")]),  # overlong: the binding says to refuse it
        ({"ce_subject": "%ed%a0%80"}, [("/subject", "encoding")]),
        ({"ce_id": "caf\u00e9"}, [("/id", "encoding")]),  # and not "required" as well
        ({"ce_subject": "%0A"}, [("/subject", "control_character")]),
        ({"ce_type": "%20"}, [("/type", "invalid_format")]),
        ({"ce_specversion": "0.3"}, [("/specversion", "unsupported")]),
        ({"ce_datacontenttype": "application/json"}, [("/datacontenttype", "unknown_field")]),
        ({"ce_data": "{}"}, [("/data", "unknown_field")]),
        ({"ce_data_base64": "AA=="}, [("/data-base64", "unknown_field")]),
        ({"ce_my_tenant": "t"}, [("/my-tenant", "unknown_field")]),
        ({"ce_": "t"}, [("/", "unknown_field")]),
        ({"ce_time": "x", "ce_source": ""}, [("/source", "too_short"), ("/time", "invalid_format")]),
    ],
)
def test_wrong_headers_are_pointed_to(headers: dict[str, str], expected: list[tuple[str, str]]) -> None:
    assert faults(binary, **headers) == expected


def test_a_header_at_fault_is_named_as_a_header() -> None:
    with pytest.raises(Invalid, match="in the header ce-time: "):
        binary(ce_time="x")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<a/>", "application/xml"),
        (b"{}", "text/plain"),
        (b"{}", ""),
        (b"{}", "application/json; charset=utf-16"),
        (b"", "application/octet-stream"),
        (b"[]", "application/cloudevents-batch+json"),
    ],
)
def test_binary_mode_takes_json_only(body: bytes, content_type: str) -> None:
    with pytest.raises(Unsupported):
        binary(body, content_type)


@pytest.mark.parametrize("body", [b"{", b"NaN", b'{"a":1,"a":2}', b"\xff", b" "])
def test_binary_data_is_strict_json(body: bytes) -> None:
    with pytest.raises(Malformed):
        binary(body)


def test_the_content_type_and_not_a_stray_header_makes_it_structured() -> None:
    assert structured(LEAST | {"id": "body"}, ce_id="header", ce_specversion="1.0").idempotency[-1] == "body"


# What the official SDK sends, we read; and as it would read it.

text = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=20)
words = st.from_regex(r"\A[A-Za-z0-9_-]{1,9}(\.[a-z]{1,9}){0,2}\Z")
names = st.from_regex(r"\Ax[a-z0-9]{1,12}\Z")
objects = st.none() | st.dictionaries(text, st.lists(text | st.integers() | st.booleans(), max_size=3))
scalars = st.booleans() | st.integers() | text
moments = st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def sdk_events(data: st.SearchStrategy[Any]) -> st.SearchStrategy[SDKEvent]:
    return st.builds(
        lambda required, time, extensions, content: SDKEvent(
            {**required, **extensions, "time": time, "datacontenttype": "application/json"}, content
        ),
        st.fixed_dictionaries({"id": text, "source": text, "type": words}, optional={"subject": text}),
        moments,
        st.dictionaries(names, text, max_size=3),
        data,
    )


def received(message: http.HTTPMessage) -> Submission:
    headers = {name.lower(): value for name, value in message.headers.items()}
    return parse_event(headers["content-type"], headers, message.body)


@given(sdk_events(objects | scalars))
def test_structured_mode_as_the_sdk_sends_it(sent: SDKEvent) -> None:
    _is_the_same(received(http.to_structured_event(sent)), sent)


@given(sdk_events(objects))  # the SDK takes a bare string for JSON that is encoded already
def test_binary_mode_as_the_sdk_sends_it(sent: SDKEvent) -> None:
    message = http.to_binary_event(sent)
    _is_the_same(received(message), sent)


def _is_the_same(found: Submission, sent: SDKEvent) -> None:
    own = {"consumer", "orderingkey", "partitionkey", "traceparent"}
    assert found.type == sent.get_type()
    assert found.source == sent.get_source()
    assert found.idempotency == ("cloudevents", sent.get_source(), sent.get_id())
    assert found.subject == (sent.get_subject() or "")
    assert found.time == sent.get_time()
    assert json.loads(found.data) == sent.get_data()
    known = {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", *own}
    extensions = {name: value for name, value in sent.get_attributes().items() if name not in known}
    assert found.extensions == extensions


@given(
    st.dictionaries(
        st.sampled_from(["ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time", "ce-x", "ce-"]),
        st.sampled_from(["1.0", "a", "%", "%ff", "2030-01-02T03:04:05Z", '"', "\u00e9"]) | st.text(max_size=9),
    ),
    st.sampled_from([b"", b"{}", b"{", b"1"]),
)
def test_nothing_but_a_problem_is_ever_raised_in_binary_mode(headers: dict[str, str], body: bytes) -> None:
    try:
        found = parse_event("application/json", headers, body)
    except Problem as problem:
        json.dumps(problem.as_dict()).encode()
        return
    assert found.idempotency or "ce-specversion" not in headers


attributes = st.sampled_from([*LEAST, "time", "subject", "data", "consumer", "traceparent", "X", "data_base64"])
values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text | st.lists(text)


@given(st.dictionaries(attributes, values))
def test_nothing_but_a_problem_is_ever_raised_in_structured_mode(change: dict[str, Any]) -> None:
    try:
        found = structured(LEAST | change)
    except Problem as problem:
        json.dumps(problem.as_dict()).encode()
        return
    assert found.type == change.get("type", "invoice.paid")
