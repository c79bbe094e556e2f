"""Whatever goes wrong, the answer is a problem (RFC 9457) and says so in its content type."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection
from pytest_django import Settings

from tests.integration.cast import Answer, Caller, call

pytestmark = pytest.mark.django_db


def assert_problem(answer: Answer, status: int, code: str, instance: str) -> None:
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    body = answer.body
    assert (body["status"], body["code"], body["instance"]) == (status, code, instance)
    assert body["type"] == f"urn:trunkline:problem:{code}"
    assert body["title"]
    assert body["detail"]
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Bearer tl_unknown0123456789", "Basic dTpw", "tl_x", "Bearer tl_ü"]
)
def test_401(authorization: str) -> None:
    answer = call("GET", "events", headers={"authorization": authorization})
    assert_problem(answer, 401, "unauthenticated", "/api/v1/events")
    assert answer.headers["www-authenticate"] == 'Bearer realm="trunkline"'


def test_403_names_the_scope(viewer: Caller) -> None:
    answer = viewer.post("events", {"type": "a", "data": 1})
    assert_problem(answer, 403, "scope_missing", "/api/v1/events")
    assert "events:write" in answer.body["detail"]


# The last three are TypeIDs, but no UUIDs that a database's own type must take.
UNKNOWN_IDS = [
    "evt_01h455vb4pex5vsknk084sn02q", "dst_01h455vb4pex5vsknk084sn02q", "x", "1", "%00",
    "evt_00000000000000000000000000", "evt_7zzzzzzzzzzzzzzzzzzzzzzzzz", "evt_0123456789abcdefghjkmnpqrs",
]  # fmt: skip


@pytest.mark.parametrize("pk", UNKNOWN_IDS)
def test_404_for_ids_there_are_not(owner: Caller, pk: str) -> None:
    answer = owner.get(f"events/{pk}")
    assert (answer.status, answer.body["code"]) == (404, "not_found")


@pytest.mark.parametrize("pk", [pk for pk in UNKNOWN_IDS if pk != "%00"])
def test_a_filter_by_such_an_id_finds_nothing(owner: Caller, pk: str) -> None:
    assert owner.get(f"deliveries?event={pk}").body == {"data": [], "next": None}


@pytest.mark.parametrize(
    "path", ["/nothing", "/api/v1/nothing", "/api/v1/events/", "/api/v2/events", "/static/nothing"]
)
def test_404_for_paths_that_are_nobodys(path: str) -> None:
    assert_problem(call("GET", path), 404, "not_found", path)


def test_405_says_what_is_allowed(owner: Caller) -> None:
    answer = call("PUT", "events", {}, key=owner.key)
    assert_problem(answer, 405, "method_not_allowed", "/api/v1/events")
    assert set(answer.headers["allow"].split(", ")) >= {"GET", "POST"}


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*", "nonsense"])
def test_an_answer_is_json_whatever_is_asked_for(owner: Caller, accept: str) -> None:
    assert owner.post("events", {"type": "a", "data": 1}, accept=accept).status == 202


def test_411_for_a_body_in_chunks(owner: Caller) -> None:
    answer = owner.post("destinations", {}, transfer_encoding="chunked")
    assert_problem(answer, 411, "length_required", "/api/v1/destinations")


def test_400_for_a_host_that_is_not_ours(owner: Caller) -> None:
    assert_problem(owner.get("events", host="evil.example"), 400, "malformed", "/api/v1/events")


@pytest.mark.parametrize("path", ["events", "events/batch"])
def test_413(owner: Caller, path: str) -> None:
    assert_problem(owner.post(path, b"[" + b" " * 5_000_000), 413, "too_large", f"/api/v1/{path}")


def test_413_where_rest_framework_reads_the_body(owner: Caller) -> None:
    body = b'{"key": "' + b"x" * 5_000_000 + b'"}'
    assert_problem(owner.post("consumers", body), 413, "too_large", "/api/v1/consumers")


@pytest.mark.parametrize("path", ["events", "events/batch", "consumers"])
def test_415(owner: Caller, path: str) -> None:
    answer = owner.post(path, b"<event/>", content_type="text/xml")
    assert_problem(answer, 415, "unsupported_media_type", f"/api/v1/{path}")


@pytest.mark.parametrize("raw", [b"{", b"\xff", b"[1]", b'{"key": "a", "key": "b"}'])
def test_400_for_bytes_that_are_no_object(owner: Caller, raw: bytes) -> None:
    answer = owner.post("consumers", raw)
    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")


def test_422_points_to_each_fault(owner: Caller) -> None:
    answer = owner.post("api-keys", {"scopes": ["events:read", "everything"], "nam": "x"})
    assert_problem(answer, 422, "validation_failed", "/api/v1/api-keys")
    assert answer.faults == [("/nam", "unknown_field")]
    answer = owner.post("api-keys", {"scopes": ["events:read", "everything"]})
    assert set(answer.faults) == {("/name", "required"), ("/scopes/1", "invalid_choice")}


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("deliveries?state=lost", "state"),
        ("destinations?status=broken", "status"),
        ("events?received_after=yesterday", "received_after"),
    ],
)
def test_422_for_filters_that_make_no_sense(owner: Caller, path: str, parameter: str) -> None:
    answer = owner.get(path)
    assert answer.status == 422
    assert [pointer for pointer, _ in answer.faults] == [f"?{parameter}"]


def away(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    raise OperationalError("connection to hunter2@db refused")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_503_while_the_database_is_away(owner: Caller, method: str) -> None:
    with connection.execute_wrapper(away):
        answer = call(method, "events", {"type": "a", "data": 1}, key=owner.key)
    assert_problem(answer, 503, "unavailable", "/api/v1/events")
    assert int(answer.headers["retry-after"]) > 0
    assert b"hunter2" not in answer.content


@pytest.mark.parametrize("path", ["/bug", "/api/v1/bug"])
def test_500_tells_nothing_of_our_insides(owner: Caller, settings: Settings, path: str) -> None:
    settings.ROOT_URLCONF = "tests.integration.kernel.broken_urls"
    answer = call("GET", path, key=owner.key)
    assert_problem(answer, 500, "internal_error", path)
    assert b"hunter2" not in answer.content


def test_request_ids_go_through_the_whole_stack(owner: Caller) -> None:
    assert owner.get("events", x_request_id="req-1").headers["x-request-id"] == "req-1"
