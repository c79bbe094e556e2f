"""The parsers of all doors against whatever bytes and headers come: an event, or a Problem, and never anything else."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apps.intake.parsing import parse_batch, parse_event
from apps.intake.parsing.limits import MAX_BATCH
from apps.intake.submission import Submission
from apps.kernel import strict_json
from apps.kernel.errors import Malformed, Problem

TYPES = (
    *("application/json", "application/json; charset=utf-8", "application/json; charset=utf-16", "text/plain", ""),
    *("application/cloudevents+json", "application/cloudevents-batch+json", "application/vnd.x+json", "a/b;;;=\x00"),
)
NAMES = (
    *("type", "data", "source", "subject", "time", "consumer", "ordering_key", "idempotency_key", "dataschema"),
    *("specversion", "id", "datacontenttype", "data_base64", "orderingkey", "events", "traceparent", "x"),
)
HEADERS = (
    *("idempotency-key", "traceparent", "content-encoding", "ce-specversion", "ce-id", "ce-source", "ce-type"),
    *("ce-time", "ce-subject", "ce-dataschema", "ce-consumer", "ce-x", "ce-%"),
)
likely = st.sampled_from(
    ["invoice.paid", "1.0", "2026-01-01T00:00:00Z", "application/json", "/a", "", "%zz", "\x00", "🂡"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | likely
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner, max_size=6),
    max_leaves=25,
)
headers = st.dictionaries(st.sampled_from(HEADERS), st.text(max_size=40) | likely, max_size=6)
texts = st.builds(
    lambda value, ascii: json.dumps(value, ensure_ascii=ascii).encode(errors="surrogatepass"), values, st.booleans()
)


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """JSON with a piece cut out, doubled or overwritten: nearly right is harder than noise."""
    body = draw(texts)
    start, end = sorted((draw(st.integers(0, len(body))), draw(st.integers(0, len(body)))))
    piece = draw(st.sampled_from([b"", body[start:end] * 2, b"\xff", b"\\ud83d", b"{", b'"', b",", b"1e999", b"NaN"]))
    return body[:start] + piece + body[end:]


nearly = st.fixed_dictionaries(
    {"type": st.just("invoice.paid"), "data": values},
    optional={name: likely for name in NAMES if name not in {"type", "data", "events"}},
)
bodies = nearly.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200) | texts | spoilt()
many = settings(max_examples=400, deadline=None)


def accepted(found: Submission) -> None:
    """What a parser lets through keeps every promise that is made of it later."""
    decoded = strict_json.decode(found.data)
    assert json.loads(found.data) == decoded
    assert found.type
    for text in (found.type, found.source, found.subject, found.consumer, found.ordering_key, *found.idempotency):
        assert "\x00" not in text
        text.encode()
    assert len(found.fingerprint()) == 32


def or_problem[R](read: Callable[[str, dict[str, str], bytes], R], *request: Any) -> R | Problem:
    """What it returns, or the Problem it raises, which can be told to a client and blames him."""
    try:
        return read(*request)
    except Problem as raised:
        problem = raised
    assert 400 <= problem.status < 500
    json.dumps(problem.as_dict())
    return problem


@many
@given(st.sampled_from(TYPES) | st.text(max_size=30), headers, bodies)
@example("application/json", {}, b'{"type":"a","data":' + b"[" * 5_000)
@example("application/json", {}, b'{"type":"a","data":1,"data":2}')
def test_one_event(content_type: str, given_headers: dict[str, str], body: bytes) -> None:
    found = or_problem(parse_event, content_type, given_headers, body)
    if isinstance(found, Submission):
        accepted(found)


@many
@given(st.sampled_from(TYPES), headers, st.lists(bodies, max_size=4))
def test_a_batch(content_type: str, given_headers: dict[str, str], parts: list[bytes]) -> None:
    inner = b"[" + b",".join(parts) + b"]"
    for body in (inner, b'{"events":' + inner + b"}"):
        results = or_problem(parse_batch, content_type, given_headers, body)
        if isinstance(results, Problem):
            continue
        assert 0 < len(results) <= MAX_BATCH
        for one in results:
            assert isinstance(one, Submission | Problem)
            if isinstance(one, Submission):
                accepted(one)


@many
@given(bodies)
def test_what_the_strict_reader_takes_another_reader_takes_alike(body: bytes) -> None:
    try:
        ours: Any = strict_json.check(body)
    except Malformed:
        return
    assert json.loads(body) == ours


@pytest.mark.parametrize("content_type", TYPES[:6])
@given(body=st.binary(max_size=60))
def test_noise_is_refused(content_type: str, body: bytes) -> None:
    assert isinstance(or_problem(parse_event, content_type, {}, b"\xfe" + body), Problem)
