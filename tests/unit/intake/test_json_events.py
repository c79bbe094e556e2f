"""One event in our own JSON: every field, every way to get it wrong, and the bytes of `data` untouched."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.intake.parsing import parse_event
from apps.intake.parsing.fields import faults_in
from apps.intake.parsing.json_events import JSONEvent
from apps.intake.parsing.limits import MAX_BODY_BYTES
from apps.intake.submission import Submission
from apps.kernel.errors import Invalid, Malformed, Problem, TooLarge, Unsupported

JSON = "application/json"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def parse(body: bytes | dict[str, Any], content_type: str = JSON, **headers: str) -> Submission:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_event(content_type, {name.replace("_", "-"): text for name, text in headers.items()}, raw)


def faults(body: bytes | dict[str, Any], **headers: str) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        parse(body, **headers)
    return [(fault.pointer, fault.code) for fault in caught.value.faults]


def event(**fields: Any) -> dict[str, Any]:
    return {"type": "invoice.paid", "data": {}, **fields}


def test_every_field_arrives() -> None:
    body = event(
        data={"id": 1},
        source="/billing",
        subject="inv_1",
        time="2030-01-02T03:04:05.678901+02:00",
        consumer="acme",
        ordering_key="inv_1",
        idempotency_key="key-1",
        dataschema="2",
    )
    assert parse(body, traceparent=TRACE) == Submission(
        type="invoice.paid",
        data=b'{"id": 1}',
        source="/billing",
        subject="inv_1",
        time=datetime(2030, 1, 2, 1, 4, 5, 678901, tzinfo=UTC),
        consumer="acme",
        ordering_key="inv_1",
        dataschema="2",
        idempotency=("key", "key-1"),
        traceparent=TRACE,
    )


def test_two_fields_are_enough_and_null_is_absent() -> None:
    least = Submission(type="a", data=b"null")
    assert parse(b'{"type": "a", "data": null}') == least
    absent = dict.fromkeys(["source", "subject", "time", "consumer", "ordering_key", "idempotency_key", "dataschema"])
    assert parse({"type": "a", "data": None, **absent}) == least


@pytest.mark.parametrize(
    "data",
    [
        b"null",
        b"false",
        b"-0",
        b"0.10",
        b"1E+2",
        b"123456789012345678901234567890",
        b'"\\u00e9 \\/ \xc3\xa9"',
        b"[ 1 ,\n2 ]",
        b'{"b": 1,  "a": {"a": [] } }',
    ],
)
def test_data_is_kept_to_the_byte(data: bytes) -> None:
    assert parse(b'{"data" :\t' + data + b'\n, "type": "a"}').data == data


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"[]", [("", "wrong_type")]),
        (b"null", [("", "wrong_type")]),
        (b'"text"', [("", "wrong_type")]),
        (b'[{"type": "a", "data": 1}]', [("", "wrong_type")]),
        ({}, [("/type", "required"), ("/data", "required")]),
        ({"type": None, "data": 1}, [("/type", "required")]),
        (event(type=5), [("/type", "wrong_type")]),
        (event(type=""), [("/type", "invalid_format")]),
        (event(type="a..b"), [("/type", "invalid_format")]),
        (event(type=".a"), [("/type", "invalid_format")]),
        (event(type="a."), [("/type", "invalid_format")]),
        (event(type="a b"), [("/type", "invalid_format")]),
        (event(type="a\n"), [("/type", "invalid_format")]),
        (event(type="é"), [("/type", "invalid_format")]),
        (event(type="a" * 129), [("/type", "too_long")]),
        (event(source=1), [("/source", "wrong_type")]),
        (event(source="s" * 256), [("/source", "too_long")]),
        (event(source="a\u0000"), [("/source", "control_character")]),
        (event(subject=["a"]), [("/subject", "wrong_type")]),
        (event(subject="a\u007f"), [("/subject", "control_character")]),
        (event(time=1700000000), [("/time", "wrong_type")]),
        (event(time="yesterday"), [("/time", "invalid_format")]),
        (event(time=""), [("/time", "invalid_format")]),
        (event(time="2030-01-02"), [("/time", "invalid_format")]),
        (event(time="2030-01-02T03:04:05"), [("/time", "invalid_format")]),
        (event(time="2030-02-30T03:04:05Z"), [("/time", "invalid_format")]),
        (event(time="0001-01-01T00:00:00+10:00"), [("/time", "invalid_format")]),
        (event(consumer={}), [("/consumer", "wrong_type")]),
        (event(consumer="c" * 129), [("/consumer", "too_long")]),
        (event(ordering_key="\u0085"), [("/ordering_key", "control_character")]),
        (event(ordering_key="o" * 256), [("/ordering_key", "too_long")]),
        (event(idempotency_key=""), [("/idempotency_key", "too_short")]),
        (event(idempotency_key="k" * 256), [("/idempotency_key", "too_long")]),
        (event(idempotency_key="a\tb"), [("/idempotency_key", "control_character")]),
        (event(idempotency_key=True), [("/idempotency_key", "wrong_type")]),
        (event(dataschema="d" * 256), [("/dataschema", "too_long")]),
        (event(Type="a"), [("/Type", "unknown_field")]),
        (event(**{"a/b": 1, "": 2}), [("/a~1b", "unknown_field"), ("/", "unknown_field")]),
    ],
)
def test_what_is_refused_is_pointed_to(body: bytes | dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert faults(body) == expected


def test_all_faults_are_told_at_once() -> None:
    body = {"typ": "a", "type": 5, "time": "soon", "source": "s" * 300, "subject": None}
    assert faults(body, idempotency_key="\u00e9") == [
        ("", "invalid_idempotency_key"),
        ("/typ", "unknown_field"),
        ("/type", "wrong_type"),
        ("/data", "required"),
        ("/source", "too_long"),
        ("/time", "invalid_format"),
    ]


def test_of_very_many_faults_a_hundred_are_told() -> None:
    assert len(faults(event(**{f"x{n}": n for n in range(5000)}))) == 100


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty_body"),
        (b"{", "malformed"),
        (b'\xef\xbb\xbf{"type": "a", "data": 1}', "not_utf8"),
        ('{"type": "a", "data": 1}'.encode("utf-16"), "not_utf8"),
        (b'{"type": "a", "data": NaN}', "not_a_number"),
        (b'{"type": "a", "data": {"x": [Infinity]}}', "not_a_number"),
        (b'{"type": "a", "type": "b", "data": 1}', "duplicate_member"),
        (b'{"type": "a", "data": {"x": {"y": 1, "y": 1}}}', "duplicate_member"),
        (b'{"type": "a", "data": "\\ud83d"}', "lone_surrogate"),
        (b'{"type": "a", "data": 1e400}', "number_out_of_range"),
        (b'{"type": "a", "data": ' + b"7" * 100_000 + b"}", "number_out_of_range"),
        (b'{"type": "a", "data": ' + b"[" * 64 + b"]" * 64 + b"}", "too_deep"),
        (b'{"type": "a", "data": ' + b"[" * 1_000_000, "too_deep"),
    ],
)
def test_what_is_no_json_is_malformed(body: bytes, code: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse(body)
    assert caught.value.code == code


@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 1, 6_000_000])
def test_a_body_over_the_limit_is_too_large(size: int) -> None:
    with pytest.raises(TooLarge):
        parse(b" " * size)


def test_a_body_at_the_limit_is_read() -> None:
    head, tail = b'{"type": "a", "data": "', b'"}'
    text = b"x" * (MAX_BODY_BYTES - len(head) - len(tail))
    assert parse(head + text + tail).data == b'"' + text + b'"'


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        'application/json; charset="UTF-8"',
        "application/json; profile=x; charset=utf-8",
        " application/json ",
    ],
)
def test_content_types_that_are_taken(content_type: str) -> None:
    assert parse(event(), content_type).type == "invoice.paid"


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "json",
        "text/plain",
        "text/json",
        "application/xml",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/json, text/plain",
        "application/problem+json",
        "application/cloudevents-batch+json",
        "application/cloudevents+xml",
        "multipart/form-data; boundary=application/json",
        "x" * 10_000,
    ],
)
def test_content_types_that_are_not_taken(content_type: str) -> None:
    with pytest.raises(Unsupported) as caught:
        parse(event(), content_type)
    assert len(caught.value.detail) < 300


def test_a_refused_content_type_is_told_what_is_taken() -> None:
    with pytest.raises(Unsupported) as caught:
        parse(event(), "text/plain")
    assert "application/cloudevents+json" in caught.value.detail
    assert caught.value.headers == {"Accept": "application/json, application/cloudevents+json"}


def test_a_compressed_body_is_refused_in_words() -> None:
    with pytest.raises(Unsupported, match="compressed"):
        parse(event(), content_encoding="gzip")
    assert parse(event(), content_encoding="identity").type == "invoice.paid"


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("abc-123", "abc-123"),
        ('"abc-123"', "abc-123"),  # as the draft has it
        ('"with \\"quotes\\" and \\\\"', 'with "quotes" and \\'),
        ('"half', '"half'),
        (" padded ", "padded"),
        ("k" * 255, "k" * 255),
    ],
)
def test_the_idempotency_key_header(header: str, key: str) -> None:
    assert parse(event(), idempotency_key=header).idempotency == ("key", key)


@pytest.mark.parametrize("header", ["", " ", '""', "k" * 256, "caf\u00e9", "a\tb", "a\x00b"])
def test_an_idempotency_key_header_that_is_none(header: str) -> None:
    assert faults(event(), idempotency_key=header) == [("", "invalid_idempotency_key")]


def test_header_and_field_may_agree_but_not_differ() -> None:
    assert parse(event(idempotency_key="a"), idempotency_key='"a"').idempotency == ("key", "a")
    assert faults(event(idempotency_key="a"), idempotency_key="b") == [("/idempotency_key", "conflict")]


@pytest.mark.parametrize(
    ("header", "trace"),
    [
        (TRACE, TRACE),
        ("", ""),
        ("garbage", ""),
        (TRACE.upper(), ""),
        (TRACE + "-more", ""),  # version 00 has no more
        ("01" + TRACE[2:] + "-more", TRACE),  # a later version is read as the one we know
        ("cc" + TRACE[2:], TRACE),
        ("ff" + TRACE[2:], ""),
        ("01" + TRACE[2:] + "more", ""),
        ("00-" + "0" * 32 + TRACE[35:], ""),
        (TRACE[:36] + "0" * 16 + "-01", ""),
    ],
)
def test_the_traceparent_header(header: str, trace: str) -> None:
    assert parse(event(), traceparent=header).traceparent == trace


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(json_values, st.booleans(), st.sampled_from([None, 1]))
def test_any_json_goes_through_unchanged(value: Any, ascii_only: bool, indent: int | None) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert parse(b'{"type":"a","data": ' + data + b" }").data == data


fields = st.sampled_from([*JSONEvent.__struct_fields__, "x"])
values = json_values | st.sampled_from(["a", "a.b", "2030-01-02T03:04:05Z", "a" * 200, "a" * 300, "\n", ""])


@given(st.dictionaries(fields, values))
def test_what_is_refused_has_faults_and_what_has_faults_is_refused(body: dict[str, Any]) -> None:
    """The typed decode and the explanation are two readers of one description."""
    try:
        parse(body)
        found = []
    except Invalid as problem:
        found = list(problem.faults)
        assert found, "refused without saying why"
    assert found == faults_in(JSONEvent, body)


@given(
    st.binary(max_size=100) | st.text(alphabet='{}[]":,typedaime01.-\\ué\n', max_size=80).map(str.encode),
    st.sampled_from([JSON, "application/cloudevents+json", "text/plain", ""]) | st.text(max_size=30),
    st.dictionaries(st.sampled_from(["idempotency-key", "traceparent", "ce-type", "ce-x"]), st.text(max_size=9)),
)
def test_nothing_but_a_problem_is_ever_raised(body: bytes, content_type: str, headers: dict[str, str]) -> None:
    try:
        assert parse_event(content_type, headers, body).type
    except Problem as problem:
        json.dumps(problem.as_dict()).encode()
