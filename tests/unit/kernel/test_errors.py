"""Problems as RFC 9457 has them."""

import pytest

from apps.kernel import errors
from apps.kernel.errors import Fault, Invalid, Problem

STATUSES = {
    errors.Malformed: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.TooSlow: 408,
    errors.Conflict: 409,
    errors.LengthRequired: 411,
    errors.TooLarge: 413,
    errors.Unsupported: 415,
    errors.Invalid: 422,
    errors.TooMany: 429,
    errors.Unavailable: 503,
}


@pytest.mark.parametrize(("kind", "status"), STATUSES.items(), ids=lambda value: getattr(value, "__name__", value))
def test_each_kind_has_its_status_and_code(kind: type[Problem], status: int) -> None:
    body = kind("so it is").as_dict()
    assert body["status"] == status
    assert body["type"] == f"urn:trunkline:problem:{body['code']}"
    assert body["detail"] == "so it is"
    assert set(body) == {"type", "title", "status", "detail", "code"}


def test_the_table_has_every_kind() -> None:
    assert set(Problem.__subclasses__()) >= set(STATUSES)
    ours = {kind for kind in Problem.__subclasses__() if kind.__module__ == errors.__name__}
    assert ours == set(STATUSES)


def test_codes_tell_the_kinds_apart() -> None:
    assert len({kind.code for kind in STATUSES}) == len(STATUSES)


def test_a_code_of_its_own_shows_in_type_and_leaves_the_kind_alone() -> None:
    body = Invalid("no", code="schema_mismatch").as_dict()
    assert (body["type"], body["code"]) == ("urn:trunkline:problem:schema_mismatch", "schema_mismatch")
    assert Invalid("no").code == "validation_failed"


def test_faults_and_instance_are_there_when_given() -> None:
    body = Invalid("no", faults=[Fault("/data/a~1b", "is odd", "odd")]).as_dict(instance="/api/v1/events")
    assert body["instance"] == "/api/v1/events"
    assert body["errors"] == [{"pointer": "/data/a~1b", "detail": "is odd", "code": "odd"}]


def test_a_fault_seen_from_further_outside() -> None:
    inner = Fault("/type", "is odd", "odd")
    assert inner.under("/events/3") == Fault("/events/3/type", "is odd", "odd")
    assert inner.pointer == "/type"


def test_headers_are_a_problems_own() -> None:
    given = {"Retry-After": "3"}
    problem = errors.Unavailable("later", headers=given)
    given.clear()
    assert problem.headers == {"Retry-After": "3"}
    assert errors.Unavailable("later").headers == {}
