"""The admin's pages of event types, events and idempotency keys."""

import json
from datetime import timedelta

import pytest

from apps.accounts.models import Project
from apps.accounts.scopes import VIEWER
from apps.audit.models import AuditEntry
from apps.events.models import Event, EventType, IdempotencyKey
from apps.events.services import event_type_create
from apps.events.store import KeyClaim, key_hash, keys_claim
from apps.kernel.clock import now
from apps.kernel.ids import first_id
from tests.integration.cast import ACTOR, a_delivery, a_destination, a_project, an_event
from tests.integration.staff import Person, queries_of, refused, staff, superuser, text_of

LIST = "events_event_changelist"
SCHEMA = {"type": "object", "required": ["id"]}


@pytest.fixture
def root(db: None) -> Person:
    return superuser()


@pytest.fixture
def invoice_paid(project: Project) -> EventType:
    return event_type_create(project=project, name="invoice.paid", actor=ACTOR, schema=SCHEMA)


# Event types


def test_a_type_is_registered_by_the_service(root: Person, project: Project) -> None:
    before = project.catalog_version
    fields = {"name": "invoice.paid", "description": "Paid", "schema": json.dumps(SCHEMA)}
    answer = root.post("events_eventtype_add", project=str(project.pk), **fields)
    assert answer.status_code == 302, text_of(answer)
    made = EventType.objects.get()
    assert (made.name, made.versions.get().version) == ("invoice.paid", 1)
    project.refresh_from_db()
    assert project.catalog_version > before
    assert AuditEntry.objects.get(action="event_type.created").target == made.public_id


def test_a_changed_schema_is_the_next_version(root: Person, invoice_paid: EventType) -> None:
    fields = {"description": "", "schema": json.dumps({"type": "object"})}
    answer = root.post("events_eventtype_change", invoice_paid.pk, **fields, **_no_inline())
    assert answer.status_code == 302, text_of(answer)
    assert [json.loads(one.schema) for one in invoice_paid.versions.all()] == [{"type": "object"}, SCHEMA]
    assert AuditEntry.objects.filter(action="event_type.changed").count() == 1


def test_saving_an_unchanged_schema_adds_no_version(root: Person, invoice_paid: EventType) -> None:
    shown = root.get("events_eventtype_change", invoice_paid.pk).context["adminform"].form["schema"].value()
    sent = shown.replace("\n", "\r\n")  # as browsers do
    root.post("events_eventtype_change", invoice_paid.pk, schema=sent, deprecated="on", **_no_inline())
    invoice_paid.refresh_from_db()
    assert (invoice_paid.deprecated, invoice_paid.versions.count()) == (True, 1)


def _no_inline() -> dict[str, str]:
    return {"versions-TOTAL_FORMS": "0", "versions-INITIAL_FORMS": "0"}


@pytest.mark.parametrize("schema", ["{", '"text"', '{"type": "no such type"}', '{"$ref": "https://example.com/x"}'])
def test_an_unusable_schema_is_an_error_beside_its_field(schema: str, root: Person, project: Project) -> None:
    answer = root.post("events_eventtype_add", project=str(project.pk), name="a.b", schema=schema)
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors["schema"]
    assert not EventType.objects.exists()


def test_a_taken_name_is_an_error(root: Person, invoice_paid: EventType) -> None:
    answer = root.post("events_eventtype_add", project=str(invoice_paid.project_id), name="invoice.paid")
    assert "already" in refused(answer)


def test_a_type_is_deleted_by_the_service(root: Person, invoice_paid: EventType) -> None:
    root.post("events_eventtype_delete", invoice_paid.pk, post="yes")
    assert not EventType.objects.exists()
    assert AuditEntry.objects.filter(action="event_type.deleted").exists()


def test_the_page_shows_every_version(root: Person, invoice_paid: EventType) -> None:
    assert '"required": [\n    "id"\n  ]' in text_of(root.get("events_eventtype_change", invoice_paid.pk))


def test_the_list_of_types_costs_the_same_for_twenty(root: Person, project: Project) -> None:
    event_type_create(project=project, name="one", actor=ACTOR, schema=SCHEMA)
    for_one = queries_of(root, "events_eventtype_changelist")
    for number in range(19):
        event_type_create(project=a_project(), name=f"one.{number}", actor=ACTOR, schema=SCHEMA)
    assert len(queries_of(root, "events_eventtype_changelist")) == len(for_one)


def test_a_member_registers_types_in_their_own_projects_only(project: Project) -> None:
    member, other = staff("member@example.com", project), a_project()
    answer = member.post("events_eventtype_add", project=str(other.pk), name="a.b")
    assert answer.context["adminform"].form.errors["project"]
    assert other.name not in text_of(member.get("events_eventtype_add"))
    assert member.post("events_eventtype_add", project=str(project.pk), name="a.b").status_code == 302


def test_a_viewer_registers_and_changes_no_type(project: Project, invoice_paid: EventType) -> None:
    viewer = staff("viewer@example.com", project, role=VIEWER)
    assert viewer.get("events_eventtype_change", invoice_paid.pk).status_code == 200
    assert viewer.post("events_eventtype_change", invoice_paid.pk, deprecated="on").status_code == 403
    assert viewer.post("events_eventtype_delete", invoice_paid.pk, post="yes").status_code == 403
    assert viewer.post("events_eventtype_add", project=str(project.pk), name="parcel.sent").status_code == 403
    assert [(one.name, one.deprecated) for one in EventType.objects.all()] == [("invoice.paid", False)]


# Events


def test_a_public_id_finds_the_event(root: Person, project: Project) -> None:
    event, _ = an_event(project), an_event(project)
    delivery = a_delivery(event, a_destination(project))
    assert root.rows(LIST, q=event.public_id) == [event]
    assert root.rows(LIST, q=delivery.public_id) == [event]


@pytest.mark.parametrize("text", ["invoice.paid", "acme", "in_42", "account-7"])
def test_text_finds_recent_events(text: str, root: Person, project: Project) -> None:
    event = an_event(project, consumer="acme", subject="in_42", ordering_key="account-7")
    an_event(project, type="other")
    an_event(
        project, pk=first_id(now() - timedelta(days=30)), consumer="acme", subject="in_42", ordering_key="account-7"
    )
    assert root.rows(LIST, q=text) == [event]


def test_an_idempotency_key_finds_its_event_however_old(root: Person, project: Project) -> None:
    old = an_event(project, pk=first_id(now() - timedelta(days=300)), idempotency_key="order-42")
    keys_claim([KeyClaim(key_hash(project.pk, ("key", "order-42")), old.pk, b"x" * 32)])
    assert root.rows(LIST, q="order-42") == [old]
    assert [row.event_id for row in root.rows("events_idempotencykey_changelist", q="order-42")] == [old.pk]
    assert [row.event_id for row in root.rows("events_idempotencykey_changelist", q=old.public_id)] == [old.pk]


def test_the_page_shows_the_data(root: Person, project: Project) -> None:
    event = an_event(project, data=b'{"n":1.10}', extensions={"partition": "<i>7</i>"})
    answer = root.get("events_event_change", event.pk)
    assert '{\n  "n": 1.10\n}' in text_of(answer)
    assert b"&lt;i&gt;7&lt;/i&gt;" in answer.content


def test_strangers_see_no_event_and_no_key(project: Project) -> None:
    event = an_event(project, idempotency_key="order-42")
    keys_claim([KeyClaim(key_hash(project.pk, ("key", "order-42")), event.pk, b"x" * 32)])
    member, stranger = staff("member@example.com", project), staff("stranger@example.com", a_project())
    keys = IdempotencyKey.objects.get()
    for page, row in (("events_event", event), ("events_idempotencykey", keys)):
        assert member.rows(f"{page}_changelist") == [row]
        assert stranger.rows(f"{page}_changelist") == []
        assert stranger.rows(f"{page}_changelist", q="order-42") == []
        assert member.get(f"{page}_change", row.pk).status_code == 200
        assert stranger.get(f"{page}_change", row.pk).status_code == 302
    assert stranger.post("events_event_replay", event.pk, _form_submitted="on").status_code == 404
    assert Event.objects.get().deliveries.count() == 0
