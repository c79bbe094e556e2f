"""Schemas come to the intake one by one, when an event wants them, and only once."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.integration.cast import Caller

pytestmark = pytest.mark.django_db
SCHEMAS = [{"required": [name]} for name in ("one", "two", "three")]


def texts_read(owner: Caller, body: dict[str, Any], *, status: int = 202) -> int:
    """How many queries for a schema's text one event takes."""
    with CaptureQueriesContext(connection) as captured:
        assert owner.post("events", body).status == status
    return sum('"schema"' in query["sql"] or "`schema`" in query["sql"] for query in captured)


def registered(owner: Caller, name: str = "invoice.paid") -> str:
    made = owner.post("event-types", {"name": name, "schema": SCHEMAS[0]}).body
    for schema in SCHEMAS[1:]:
        owner.patch(f"event-types/{made['id']}", {"schema": schema})
    return f"event-types/{made['id']}"


def test_each_version_is_read_when_it_is_first_wanted(owner: Caller) -> None:
    registered(owner)
    newest: dict[str, Any] = {"type": "invoice.paid", "data": {"three": 1}}
    named = {"type": "invoice.paid", "data": {"one": 1}, "dataschema": "1"}
    assert [texts_read(owner, body) for body in (newest, newest, named, named, newest)] == [1, 0, 1, 0, 0]


def test_another_types_change_reads_no_schema_again(owner: Caller) -> None:
    registered(owner)
    newest = {"type": "invoice.paid", "data": {"three": 1}}
    assert texts_read(owner, newest) == 1
    registered(owner, "another")
    assert texts_read(owner, newest) == 0


def test_a_type_made_again_has_schemas_of_its_own(owner: Caller) -> None:
    path = registered(owner)
    named = {"type": "invoice.paid", "data": {"one": 1}, "dataschema": "1"}
    assert texts_read(owner, named) == 1
    assert owner.delete(path).status == 204
    owner.post("event-types", {"name": "invoice.paid", "schema": {"required": ["anew"]}})
    assert texts_read(owner, named, status=422) == 1
    assert owner.post("events", {**named, "data": {"anew": 1}}).status == 202
