"""Event types over REST: registered, changed, versioned only where a schema changes."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import Project
from apps.audit.models import AuditEntry
from apps.events import services
from apps.events.models import EventType, SchemaVersion
from apps.events.selectors import event_types, newest_schema
from apps.events.services import event_type_change, event_type_create
from apps.kernel.errors import Invalid
from tests.integration.cast import ACTOR, Caller, a_project, caller
from tests.integration.threads import at_once

ONE, TWO = {"type": "object", "required": ["a"]}, {"type": "object", "required": ["b"]}


@pytest.mark.django_db
def test_create_look_change_delete(owner: Caller) -> None:
    made = owner.post("event-types", {"name": "invoice.paid", "description": "Paid in full", "schema": ONE})
    assert made.status == 201
    assert set(made.body) == {"id", "name", "description", "schema", "deprecated", "version", "created_at"}
    assert (made.body["version"], made.body["schema"], made.body["deprecated"]) == (1, ONE, False)
    path = f"event-types/{made.body['id']}"
    assert owner.get(path).body == owner.all("event-types")[0] == made.body
    changed = owner.patch(path, {"description": "Paid", "deprecated": True})
    assert changed.body == {**made.body, "description": "Paid", "deprecated": True}
    assert owner.delete(path).status == 204
    assert owner.get(path).status == 404
    assert not SchemaVersion.objects.exists()
    actions = AuditEntry.objects.filter(target=made.body["id"]).order_by("at").values_list("action", flat=True)
    assert list(actions) == ["event_type.created", "event_type.changed", "event_type.deleted"]


@pytest.mark.django_db
def test_a_version_is_added_only_where_the_schema_changes(owner: Caller) -> None:
    made = owner.post("event-types", {"name": "invoice.paid"}).body
    assert (made["version"], made["schema"]) == (None, None)
    path = f"event-types/{made['id']}"
    steps: list[tuple[dict[str, Any], int | None]] = [
        ({"description": "x"}, None),
        ({"schema": ONE}, 1),
        ({"schema": ONE}, 1),
        ({"description": "y"}, 1),
        ({"schema": None}, 1),  # null is "as it was", as for every optional field
        ({"schema": TWO}, 2),
        ({"schema": ONE}, 3),  # back again is a change, too
        ({"schema": True}, 4),
    ]
    for change, version in steps:
        assert owner.patch(path, change).body["version"] == version, change
    versions = owner.get(f"{path}/versions").body
    assert versions["next"] is None
    assert [(one["version"], one["schema"]) for one in versions["data"]] == [(4, True), (3, ONE), (2, TWO), (1, ONE)]


@pytest.mark.django_db
def test_a_name_is_registered_once_in_a_project_and_for_good(owner: Caller) -> None:
    made = owner.post("event-types", {"name": "invoice.paid"}).body
    again = owner.post("event-types", {"name": "invoice.paid", "schema": ONE})
    assert (again.status, again.body["code"], again.faults) == (409, "already_exists", [("/name", "already_exists")])
    assert owner.post("event-types", {"name": "Invoice.paid"}).status == 201  # names are compared exactly
    assert caller(a_project()).post("event-types", {"name": "invoice.paid"}).status == 201
    renamed = owner.patch(f"event-types/{made['id']}", {"name": "invoice.settled"})
    assert (renamed.status, renamed.faults) == (422, [("/name", "immutable")])
    assert owner.patch(f"event-types/{made['id']}", {"name": "invoice.paid"}).status == 200


WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["/name"]),
    ({"name": ""}, ["/name"]),
    ({"name": "a..b"}, ["/name"]),
    ({"name": "a.*"}, ["/name"]),
    ({"name": "x" * 129}, ["/name"]),
    ({"name": "a", "schema": []}, ["/schema"]),
    ({"name": "a", "schema": "object"}, ["/schema"]),
    ({"name": "a", "schema": {"type": "objekt"}}, ["/schema/type"]),
    ({"name": "a", "schema": {"$ref": "https://example.com/schema.json"}}, ["/schema/$ref"]),
    ({"name": "a", "version": 7}, ["/version"]),
    ({"name": "a", "deprecated": "perhaps"}, ["/deprecated"]),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("body", "pointers"), WRONG, ids=[str(body)[:50] for body, _ in WRONG])
def test_what_no_type_can_be(owner: Caller, body: dict[str, Any], pointers: list[str]) -> None:
    answer = owner.post("event-types", body)
    assert (answer.status, [pointer for pointer, _ in answer.faults]) == (422, pointers)
    assert not EventType.objects.exists()


@pytest.mark.django_db
def test_a_schema_that_cannot_be_leaves_the_type_as_it_was(owner: Caller) -> None:
    made = owner.post("event-types", {"name": "a", "description": "before", "schema": ONE}).body
    refused = owner.patch(f"event-types/{made['id']}", {"description": "after", "schema": {"type": "objekt"}})
    assert refused.status == 422
    assert owner.get(f"event-types/{made['id']}").body == made


@pytest.mark.django_db
def test_a_schema_is_checked_before_the_database_is_asked_anything() -> None:
    project = a_project()
    made = event_type_create(project=project, name="a", actor=ACTOR)
    acts: list[Callable[[], Any]] = [
        lambda: event_type_create(project=project, name="b", actor=ACTOR, schema={"type": "objekt"}),
        lambda: event_type_change(event_type=made, actor=ACTOR, schema={"type": "objekt"}),
    ]
    for act in acts:
        with CaptureQueriesContext(connection) as captured, pytest.raises(Invalid):
            act()
        assert not captured.captured_queries


@pytest.mark.django_db
def test_a_type_has_so_many_versions(owner: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MOST_VERSIONS", 2)
    made = owner.post("event-types", {"name": "a", "schema": ONE}).body
    path = f"event-types/{made['id']}"
    assert owner.patch(path, {"schema": TWO}).status == 200
    refused = owner.patch(path, {"schema": ONE, "description": "new"})
    assert (refused.status, refused.body["code"]) == (409, "too_many_versions")
    assert owner.patch(path, {"schema": TWO, "description": "as before"}).body["version"] == 2


@pytest.mark.django_db
def test_a_project_has_so_many_types(owner: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MOST_TYPES", 1)
    made = owner.post("event-types", {"name": "a"}).body
    refused = owner.post("event-types", {"name": "b"})
    assert (refused.status, refused.body["code"]) == (409, "too_many_event_types")
    assert caller(a_project()).post("event-types", {"name": "b"}).status == 201
    assert owner.delete(f"event-types/{made['id']}").status == 204
    assert owner.post("event-types", {"name": "b"}).status == 201


@pytest.mark.django_db
def test_a_project_has_so_many_bytes_of_schemas(owner: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    schema = {"title": "é" * 100}  # 212 bytes
    monkeypatch.setattr(services, "MOST_SCHEMA_BYTES", 424)
    made = owner.post("event-types", {"name": "a", "schema": schema}).body
    assert owner.post("event-types", {"name": "b", "schema": schema}).status == 201
    refused = owner.patch(f"event-types/{made['id']}", {"schema": True})
    assert (refused.status, refused.body["code"]) == (409, "too_much_schema")
    assert caller(a_project()).post("event-types", {"name": "a", "schema": schema}).status == 201


@pytest.mark.django_db
def test_a_list_reads_the_newest_schemas_and_no_others(owner: Caller) -> None:
    for name in ("a", "b", "bare"):
        made = owner.post("event-types", {"name": name}).body
        for title in ("first", "second", "third") if name != "bare" else ():
            owner.patch(f"event-types/{made['id']}", {"schema": {"title": f"{title} of {name}"}})
    with CaptureQueriesContext(connection) as captured:
        rows = list(event_types(owner.project).order_by("name"))
        newest = [newest_schema(row) for row in rows]
    assert [one and (one.version, one.schema) for one in newest] == [
        (3, '{"title":"third of a"}'),
        (3, '{"title":"third of b"}'),
        None,
    ]
    assert len(captured) == 2
    assert [len(vars(row)["newest_schemas"]) for row in rows] == [1, 1, 0]


@pytest.mark.django_db
def test_filters(owner: Caller) -> None:
    for name, deprecated in (("a", False), ("b", True)):
        owner.post("event-types", {"name": name, "deprecated": deprecated})
    found = {
        query: [row["name"] for row in owner.all(f"event-types?{query}")]
        for query in ("name=a", "name=A", "deprecated=true", "deprecated=false")
    }
    assert found == {"name=a": ["a"], "name=A": [], "deprecated=true": ["b"], "deprecated=false": ["a"]}


@pytest.mark.django_db(transaction=True)
def test_schemas_changed_at_the_same_moment_get_versions_of_their_own() -> None:
    someone = caller(a_project())
    made = event_type_create(project=someone.project, name="invoice.paid", actor=ACTOR)
    path = f"event-types/{made.public_id}"
    schemas = [{"title": str(number)} for number in range(6)]
    answers = at_once([lambda schema=schema: someone.patch(path, {"schema": schema}) for schema in schemas])  # type: ignore[misc]
    assert [getattr(answer, "status", answer) for answer in answers] == [200] * 6
    versions = someone.get(f"{path}/versions").body["data"]
    assert [one["version"] for one in versions] == [6, 5, 4, 3, 2, 1]
    assert sorted(one["schema"]["title"] for one in versions) == sorted(schema["title"] for schema in schemas)


@pytest.mark.django_db(transaction=True)
def test_a_name_wanted_by_several_at_the_same_moment_is_ones() -> None:
    someone = caller(a_project())
    answers = at_once([lambda: someone.post("event-types", {"name": "invoice.paid"})] * 4)
    assert sorted(getattr(answer, "status", 0) for answer in answers) == [201, 409, 409, 409]
    assert EventType.objects.count() == 1


@pytest.mark.django_db
def test_every_change_raises_the_catalogs_version(owner: Caller) -> None:
    def version() -> int:
        return Project.objects.get(pk=owner.project.pk).catalog_version

    seen = [version()]
    made = owner.post("event-types", {"name": "a"}).body
    for act in (
        lambda: None,
        lambda: owner.patch(f"event-types/{made['id']}", {"schema": ONE}),
        lambda: owner.delete(f"event-types/{made['id']}"),
    ):
        act()
        seen.append(version())
    assert seen == sorted(set(seen))
