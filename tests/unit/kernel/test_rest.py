"""What REST framework and Django raise, as problems; nested errors as JSON pointers (RFC 6901)."""

from io import BytesIO
from typing import Any

import msgspec
import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404
from django.http.request import UnreadablePostError
from rest_framework import exceptions, serializers

from apps.kernel.errors import Conflict, Fault, Malformed
from apps.kernel.rest import ExactJSONRenderer, StrictJSONParser, as_problem, problem_response
from apps.kernel.serializers import PublicIdField, StrictSerializer

RAISED = [
    (Http404(), 404, "not_found"),
    (exceptions.NotFound(), 404, "not_found"),
    (exceptions.NotAuthenticated(), 401, "unauthenticated"),
    (exceptions.AuthenticationFailed(), 401, "unauthenticated"),
    (PermissionDenied(), 403, "forbidden"),
    (exceptions.PermissionDenied(), 403, "forbidden"),
    (RequestDataTooBig(), 413, "too_large"),
    (UnreadablePostError(), 400, "malformed"),
    (exceptions.UnsupportedMediaType("text/plain"), 415, "unsupported_media_type"),
    (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
    (exceptions.NotAcceptable(), 406, "not_acceptable"),
    (exceptions.ValidationError({"name": ["is odd"]}), 422, "validation_failed"),
    (Conflict("not now", code="sending"), 409, "sending"),
]


@pytest.mark.parametrize(("error", "status", "code"), RAISED, ids=lambda value: getattr(type(value), "__name__", None))
def test_what_is_raised_becomes_a_problem(error: Exception, status: int, code: str) -> None:
    response = problem_response(error, {})
    assert response is not None
    assert response.data is not None
    assert (response.status_code, response.data["status"], response.data["code"]) == (status, status, code)
    assert response.content_type == "application/problem+json"


def test_a_true_bug_passes_through() -> None:
    assert as_problem(RuntimeError("a bug")) is None


def test_401_says_how_to_authenticate() -> None:
    response = problem_response(exceptions.NotAuthenticated(), {})
    assert response is not None
    assert response["WWW-Authenticate"].startswith("Bearer")


class Line(StrictSerializer):
    sku = serializers.CharField()
    count = serializers.IntegerField(min_value=1)


class Order(StrictSerializer):
    id = PublicIdField("evt", required=False)
    made_at = serializers.DateTimeField(read_only=True)
    lines = Line(many=True, required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=3), required=False)
    place = Line(required=False)

    def validate(self, attrs: Any) -> Any:
        if attrs.get("tags") == []:
            raise serializers.ValidationError("needs a tag", code="no_tag")
        return attrs


POINTERS: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"place": {"sku": "a", "count": 0}}, [("/place/count", "min_value")]),
    (
        {"lines": [{"sku": "a", "count": 1}, {"count": "x"}]},
        [("/lines/1/sku", "required"), ("/lines/1/count", "invalid")],
    ),
    ({"tags": ["abc", "abcd"]}, [("/tags/1", "max_length")]),
    ({"tags": []}, [("", "no_tag")]),
    ({"tags": "a"}, [("/tags", "not_a_list")]),
    ({"id": "evt_1"}, [("/id", "invalid_id")]),
    ({"id": 5}, [("/id", "invalid_id")]),
    ({"made_at": "2026-01-01"}, [("/made_at", "unknown_field")]),  # read-only: can't be set, so not a field to send
    ({"nme": 1, "a/b~c": 2}, [("/nme", "unknown_field"), ("/a~1b~0c", "unknown_field")]),
    ({"place": {"sku": "a", "count": 1, "size": 2}}, [("/place/size", "unknown_field")]),
    ({"lines": [{"sku": "a", "count": 1, "size": 2}]}, [("/lines/0/size", "unknown_field")]),
]


@pytest.mark.parametrize(("body", "expected"), POINTERS, ids=[str(body) for body, _ in POINTERS])
def test_pointers_into_the_body(body: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    serializer = Order(data=body)
    with pytest.raises(exceptions.ValidationError) as refused:
        serializer.is_valid(raise_exception=True)
    problem = as_problem(refused.value)
    assert problem is not None
    assert [(fault.pointer, fault.code) for fault in problem.faults] == expected


def test_detail_names_a_single_fault_and_counts_several() -> None:
    one = as_problem(exceptions.ValidationError({"name": ["is odd"]}))
    two = as_problem(exceptions.ValidationError({"name": ["is odd"], "size": ["is odd"]}))
    assert one is not None
    assert two is not None
    assert one.detail == "/name: is odd"
    assert two.detail.startswith("2 faults")
    assert one.faults == (Fault("/name", "is odd", "invalid"),)


def parse(raw: bytes) -> dict[str, Any]:
    return StrictJSONParser().parse(BytesIO(raw))


@pytest.mark.parametrize("raw", [b"", b"  \n"])
def test_an_empty_body_is_an_empty_object(raw: bytes) -> None:
    assert parse(raw) == {}


@pytest.mark.parametrize("raw", [b"[]", b"1", b'"text"', b"null", b"{", b'{"a":1,"a":2}', b'{"a":NaN}'])
def test_anything_but_an_object_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        parse(raw)


def test_a_producers_bytes_pass_through() -> None:
    raw = b'{"n": 123456789012345678901234567890, "f": 1.10}'
    rendered = ExactJSONRenderer().render({"data": msgspec.Raw(raw)})
    assert rendered == b'{"data":' + raw + b"}"


def test_no_content_is_no_bytes() -> None:
    assert ExactJSONRenderer().render(None) == b""
