"""Requests that are wrong in every way we know: each gets a clear problem, none a 500, and the next event goes out."""

import gzip
import socket
import time
from typing import Any

import pytest

from tests.acceptance.problems import assert_problem, faults
from tests.acceptance.project import API, Project, expect
from tests.acceptance.server import Server
from tests.acceptance.waiting import eventually

EVENTS = f"{API}/events"
BATCH = f"{EVENTS}/batch"


pytestmark = pytest.mark.usefixtures("unharmed")


def event(data: bytes = b"1", more: bytes = b"") -> bytes:
    return b'{"type": "a.b", "data": ' + data + more + b"}"


UNREADABLE: dict[str, tuple[bytes, str, str | None]] = {
    "cut short": (b'{"type": "a.b", "data": ', "malformed", None),
    "not JSON": (b"type=a.b&data=1", "malformed", None),
    "two values": (event() + event(), "malformed", None),
    "a comma too many": (event(b"[1,]"), "malformed", None),
    "single quotes": (b"{'type': 'a.b', 'data': 1}", "malformed", None),
    "a comment": (event(b"1 /* one */"), "malformed", None),
    "nothing": (b"", "empty_body", None),
    "blanks": (b" \n\t ", "empty_body", None),
    "NaN": (event(b'{"x": NaN}'), "not_a_number", "/data/x"),
    "infinity": (event(b"[0, -Infinity]"), "not_a_number", "/data/1"),
    "a number no double holds": (event(b'{"x": [1e999]}'), "number_out_of_range", "/data/x/0"),
    "an endless integer": (event(b"9" * 100_000), "number_out_of_range", "/data"),
    "a member twice": (event(b'{"a": 1, "b": 2, "a": 3}'), "duplicate_member", "/data/a"),
    "a member twice, escaped": (event(b'{"a": 1, "\\u0061": 3}'), "duplicate_member", "/data/a"),
    "type twice": (event(b"1", b', "type": "c.d"'), "duplicate_member", "/type"),
    "a depth bomb": (b"[" * 200_000, "too_deep", None),
    "a depth bomb that closes": (event(b"[" * 50_000 + b"]" * 50_000), "too_deep", None),
    "objects in objects": (event(b'{"a":' * 10_000 + b"1" + b"}" * 10_000), "too_deep", None),
    "half a surrogate pair": (event(b'{"a": "\\ud800"}'), "lone_surrogate", "/data/a"),
    "not UTF-8": (event(b'"\xff"'), "not_utf8", None),
    "an overlong encoding": (event(b'"\xc0\xaf"'), "not_utf8", None),
    "a byte order mark": (b"\xef\xbb\xbf" + event(), "not_utf8", None),
    "UTF-16": (event().decode().encode("utf-16"), "not_utf8", None),
    "UTF-32": (event().decode().encode("utf-32-le"), "not_utf8", None),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read(project: Project, name: str) -> None:
    body, code, pointer = UNREADABLE[name]
    for path in (EVENTS, BATCH):
        problem = assert_problem(project.client.post_bytes(path, body), 400, code)
        if path == EVENTS and pointer is not None:
            assert faults(problem) == [(pointer, code)]


WRONG: dict[str, tuple[Any, list[tuple[str, str]]]] = {
    "an array": ([], [("", "wrong_type")]),
    "null": (None, [("", "wrong_type")]),
    "text": ("a.b", [("", "wrong_type")]),
    "an empty object": ({}, [("/type", "required"), ("/data", "required")]),
    "no data": ({"type": "a.b"}, [("/data", "required")]),
    "an unknown field": ({"type": "a.b", "data": 1, "datta": 2}, [("/datta", "unknown_field")]),
    "a field with a slash": ({"type": "a.b", "data": 1, "a/~b": 2}, [("/a~1~0b", "unknown_field")]),
    "type as a number": ({"type": 7, "data": 1}, [("/type", "wrong_type")]),
    "type as null": ({"type": None, "data": 1}, [("/type", "required")]),
    "type with a blank": ({"type": "a b", "data": 1}, [("/type", "invalid_format")]),
    "type with a trailing newline": ({"type": "a.b\n", "data": 1}, [("/type", "invalid_format")]),
    "type in Cyrillic": ({"type": "а.b", "data": 1}, [("/type", "invalid_format")]),  # noqa: RUF001
    "type too long": ({"type": "a" * 129, "data": 1}, [("/type", "too_long")]),
    "NUL in source": ({"type": "a.b", "data": 1, "source": "a\0b"}, [("/source", "control_character")]),
    "subject too long": ({"type": "a.b", "data": 1, "subject": "é" * 256}, [("/subject", "too_long")]),
    "consumer as an object": ({"type": "a.b", "data": 1, "consumer": {}}, [("/consumer", "wrong_type")]),
    "time without a zone": ({"type": "a.b", "data": 1, "time": "2026-01-01T00:00:00"}, [("/time", "invalid_format")]),
    "time before the year 1": (
        {"type": "a.b", "data": 1, "time": "0001-01-01T00:00:00+23:59"},
        [("/time", "invalid_format")],
    ),
    "time as a number": ({"type": "a.b", "data": 1, "time": 1767225600}, [("/time", "wrong_type")]),
    "an empty key": ({"type": "a.b", "data": 1, "idempotency_key": ""}, [("/idempotency_key", "too_short")]),
    "all at once": (
        {"type": "", "source": 1, "why": 1},
        [("/why", "unknown_field"), ("/type", "invalid_format"), ("/data", "required"), ("/source", "wrong_type")],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_read_but_wrong(project: Project, name: str) -> None:
    value, expected = WRONG[name]
    problem = assert_problem(project.client.post(EVENTS, value), 422, "validation_failed")
    assert sorted(faults(problem)) == sorted(expected)


OTHER_TYPES = """
text/plain
application/x-www-form-urlencoded
multipart/form-data; boundary=x
application/xml
application/json; charset=latin-1
application/json5
application/cloudevents-batch+json
json
*/*
"""


@pytest.mark.parametrize("content_type", ["", *OTHER_TYPES.split("\n")[1:-1]])
def test_another_content_type(project: Project, content_type: str) -> None:
    answer = project.client.post_bytes(EVENTS, event(), content_type)
    assert_problem(answer, 415, "unsupported_media_type")


def test_a_compressed_body(project: Project) -> None:
    packed = gzip.compress(event(b'"' + b"0" * 1_000_000 + b'"'))
    answer = project.client.post_bytes(EVENTS, packed, Content_Encoding="gzip")
    assert_problem(answer, 415, "unsupported_media_type")
    assert answer.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("path", [EVENTS, BATCH])
def test_six_megabytes(project: Project, path: str) -> None:
    answer = project.client.post_bytes(path, event(b'"' + b"x" * 6_000_000 + b'"'))
    assert_problem(answer, 413, "too_large")


def test_as_large_as_it_may_be_goes_through(project: Project) -> None:
    data = b'"' + b"x" * (5_000_000 - len(event(b'""'))) + b'"'
    assert project.client.post_bytes(EVENTS, event(data)).status == 202


def test_a_body_without_a_length(project: Project) -> None:
    headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    answer = project.client.call("POST", EVENTS, b"%x\r\n%s\r\n0\r\n\r\n" % (len(event()), event()), headers)
    assert_problem(answer, 411, "length_required")


@pytest.mark.parametrize(
    "key", ["", " ", "é", "x" * 256, '"open', '""'], ids=["empty", "blank", "accent", "long", "open", "quoted empty"]
)
def test_keys_no_header_may_have(project: Project, key: str) -> None:
    answer = project.client.post_bytes(EVENTS, event(), Idempotency_Key=key)
    if key == '"open':  # a bare key may hold a quote
        assert answer.status == 202
    else:
        assert faults(assert_problem(answer, 422, "validation_failed")) == [("", "invalid_idempotency_key")]


def test_a_batch_points_into_itself(project: Project) -> None:
    good = {"type": "a.b", "data": 1}
    wrong = [good, {"type": "a.b"}, 7, {**good, "oops": 1}, good]
    results = expect(202, project.client.post(BATCH, {"events": wrong}))["results"]
    assert [one["status"] for one in results] == ["accepted", "rejected", "rejected", "rejected", "accepted"]
    found = [faults(one["error"]) for one in results[1:4]]
    assert found == [
        [("/events/1/data", "required")],
        [("/events/2", "wrong_type")],
        [("/events/3/oops", "unknown_field")],
    ]


@pytest.mark.parametrize(
    ("batch", "status", "code", "pointer"),
    [
        ({"events": []}, 422, "validation_failed", "/events"),
        ({"events": {}}, 422, "validation_failed", "/events"),
        ({}, 422, "validation_failed", "/events"),
        ({"events": [], "more": 1}, 422, "validation_failed", "/more"),
        ({"events": [{"type": "a.b", "data": 1}] * 1001}, 413, "too_large", None),
    ],
    ids=["empty", "an object", "nothing", "unknown", "1001"],
)
def test_batches_that_are_none(project: Project, batch: Any, status: int, code: str, pointer: str | None) -> None:
    problem = assert_problem(project.client.post(BATCH, batch), status, code)
    assert pointer is None or pointer in [found for found, _ in faults(problem)]


def test_a_type_that_must_be_registered(server: Server) -> None:
    strict = Project.create(server.installation, "hostile-strict", server.port)
    unheard = {"type": "never.heard", "data": 1}
    strict.publish("never.heard")  # by default it is taken as it is
    code = "from apps.accounts.models import Project; print(Project.objects.filter(name='hostile-strict')"
    assert "1" in server.installation.manage("shell", "-c", f"{code}.update(require_registered_types=True))")
    eventually(lambda: strict.client.post(EVENTS, unheard).status == 422)
    time.sleep(1)  # in which each process of the lane hears of it
    answer = strict.client.post(EVENTS, unheard)
    assert faults(assert_problem(answer, 422, "unregistered_type")) == [("/type", "unregistered_type")]
    expect(201, strict.client.post(f"{API}/event-types", {"name": "never.heard"}))
    strict.publish("never.heard")


def test_credentials_that_open_nothing(project: Project) -> None:
    key = project.client.api_key
    for credentials in ("", "Bearer", "Bearer tl_", f"Bearer {key}x", f"Basic {key}", key, "Bearer é"):
        answer = project.client.call("GET", EVENTS, None, {"Authorization": credentials})
        problem = assert_problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert key not in problem["detail"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/events/evt_1", 404),
        ("/events/%00", 404),
        ("/events/evt_80000000000000000000000000", 404),  # more than 128 bits
        ("/events/evt_0000000000000000000000000%D9%A1", 404),
        ("/deliveries/../../admin", 404),
        ("/destinations/con_00000000000000000000000000", 404),
        ("/nothing", 404),
        ("/events?limit=0", 422),
        ("/events?limit=251", 422),
        ("/events?limit=-1", 422),
        ("/events?limit=%D9%A1", 422),
        ("/events?limit=" + "9" * 5000, 422),
        ("/events?cursor=%00", 422),
        ("/events?cursor=AAAA", 422),
        ("/events?cursor=%C3%A9", 422),
        ("/events?ordering=password", 422),
        ("/deliveries?state=lost", 422),
        ("/deliveries?created_after=yesterday", 422),
        ("/deliveries?created_after=0001-01-01T00:00:00%2B23:59", 422),
    ],
)
def test_addresses_of_nothing(project: Project, path: str, status: int) -> None:
    codes = {404: "not_found", 422: "validation_failed"}
    assert_problem(project.client.get(API + path), status, codes[status])


@pytest.mark.parametrize("query", ["event=evt_x", "destination=%00", "event=dst_00000000000000000000000000"])
def test_filters_by_ids_of_nothing_find_nothing(project: Project, query: str) -> None:
    assert project.deliveries(**dict([query.split("=")])) == []


def test_a_method_nobody_offers(project: Project) -> None:
    answer = project.client.call("DELETE", EVENTS)
    assert_problem(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["allow"]


def test_a_host_that_is_not_ours(project: Project) -> None:
    answer = project.client.call("GET", EVENTS, None, {"Host": "evil.example"})
    assert_problem(answer, 400, "malformed")
    assert b"evil.example" not in answer.body


@pytest.mark.parametrize("accept", ["text/html", "application/xml;q=1", "image/*", "nonsense", ""])
def test_whatever_a_client_would_rather_have(project: Project, accept: str) -> None:
    assert project.client.call("GET", EVENTS, None, {"Accept": accept}).headers["content-type"] == "application/json"
    answer = project.client.call("GET", f"{EVENTS}/evt_x", None, {"Accept": accept})
    assert_problem(answer, 404, "not_found")


@pytest.mark.parametrize(
    "sent",
    [
        b"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{",
        b"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n{}",
        b"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /api/v1/events HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /" + b"a" * 100_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00" * 1000,
    ],
    ids=["hangs up", "negative length", "two lengths", "broken chunks", "another host", "endless line", "TLS", "NULs"],
)
def test_what_is_hardly_http(project: Project, sent: bytes) -> None:
    """Not every one of them can be answered; but what is answered is no 5xx, and the next caller is."""
    with socket.create_connection(("127.0.0.1", project.client.port), timeout=5) as raw:
        answer = _whatever_comes(raw, sent)
    assert not answer or answer.startswith(b"HTTP/1.1 4"), answer[:200]


def _whatever_comes(raw: socket.socket, sent: bytes) -> bytes:
    received = b""
    try:
        raw.sendall(sent)
        raw.shutdown(socket.SHUT_WR)
        while piece := raw.recv(65536):
            received += piece
    except TimeoutError:
        raise
    except OSError:
        pass  # it hung up, having seen enough
    return received
