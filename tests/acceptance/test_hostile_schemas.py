"""Schemas that would fetch something, are none, or would keep a processor busy: refused, or harmless."""

import time
from typing import Any

import pytest

from tests.acceptance.problems import assert_problem, faults
from tests.acceptance.project import API, Project
from tests.receiver import Receiver

QUICK = 10.0  # seconds, on a busy machine

pytestmark = pytest.mark.usefixtures("unharmed")


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"$ref": "http://169.254.169.254/latest/meta-data"}, "/schema/$ref"),
        ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, "/schema/properties/a/$ref"),
        ({"$id": "http://127.0.0.1:1/x", "$ref": "other.json"}, "/schema/$ref"),
        ({"items": {"$dynamicRef": "//example.com/x#a"}}, "/schema/items/$dynamicRef"),
    ],
    ids=["network", "file", "by way of $id", "dynamic"],
)
def test_schemas_that_would_fetch_something(project: Project, schema: Any, pointer: str) -> None:
    answer = project.client.post(f"{API}/event-types", {"name": "remote.schema", "schema": schema})
    assert faults(assert_problem(answer, 422, "invalid_schema")) == [(pointer, "remote_reference")]


def test_a_schema_that_points_at_a_server_is_never_fetched(project: Project) -> None:
    with Receiver() as bait:
        for reference in (bait.url("/schema.json"), bait.url("/schema.json#/a")):
            value = {"name": "remote.schema", "schema": {"items": {"$ref": reference}}}
            assert_problem(project.client.post(f"{API}/event-types", value), 422, "invalid_schema")
        assert bait.accepted == 0


@pytest.mark.parametrize(
    ("schema", "pointer", "code"),
    [
        (7, "/schema", "wrong_type"),
        ("x", "/schema", "wrong_type"),
        ([], "/schema", "wrong_type"),
        ({"type": "integre"}, "/schema/type", "any_of"),
        ({"$ref": "#/nowhere"}, "/schema/$ref", "dangling_reference"),
        ({"pattern": "("}, "/schema/pattern", "invalid_pattern"),
        ({"$schema": "http://example.com/own"}, "/schema/$schema", "unknown_draft"),
    ],
)
def test_schemas_that_are_none(project: Project, schema: Any, pointer: str, code: str) -> None:
    answer = project.client.post(f"{API}/event-types", {"name": "no.schema", "schema": schema})
    assert faults(assert_problem(answer, 422, "invalid_schema")) == [(pointer, code)]


HEAVY: dict[str, tuple[Any, Any]] = {
    "itself": ({"$ref": "#"}, 1),
    "each other": ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, 1),
    "backtracking": ({"pattern": "^(a+)+$"}, "a" * 40 + "!"),
    "alternatives": ({"pattern": "^(a|a)*$"}, "a" * 100_000 + "!"),
    "look-ahead": ({"pattern": "^(?=(a+)+$)a"}, "a" * 40 + "!"),
    "unique": ({"uniqueItems": True}, [{"n": n} for n in range(3000)]),
    "branches": ({"anyOf": [{"items": {"anyOf": [{"minimum": 10}] * 20}}] * 20}, list(range(9)) * 50),
}


@pytest.mark.parametrize("name", HEAVY)
def test_schemas_that_would_run_for_ever(project: Project, name: str) -> None:
    """Refused when registered, or else quick to answer; never a hang and never the end of a worker."""
    schema, data = HEAVY[name]
    event_type = f"heavy.{name.replace(' ', '-')}"
    started = time.monotonic()
    registered = project.client.post(f"{API}/event-types", {"name": event_type, "schema": schema})
    assert registered.status in {201, 422}, str(registered)
    answer = project.client.post(f"{API}/events", {"type": event_type, "data": data})
    assert answer.status in {202, 422}, str(answer)
    assert time.monotonic() - started < QUICK
