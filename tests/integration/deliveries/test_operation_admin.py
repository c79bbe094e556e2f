"""The admin's pages of operations, and the ways from deliveries and destinations to them."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse

from apps.accounts.models import Project
from apps.accounts.scopes import DEVELOPER, VIEWER
from apps.audit.models import AuditEntry
from apps.deliveries.models import Delivery, Operation
from apps.deliveries.operations import kinds, services
from apps.deliveries.operations.advancing import advance
from apps.deliveries.operations.services import operation_create
from apps.deliveries.states import State
from apps.destinations.models import Destination
from apps.kernel.clock import now
from tests.integration.cast import ACTOR, a_delivery, a_destination, a_project, an_event
from tests.integration.staff import Person, refused, staff, superuser, text_of

LIST, PAGE, ADD = (f"deliveries_operation_{page}" for page in ("changelist", "change", "add"))
pytestmark = pytest.mark.django_db


@pytest.fixture
def root(db: None) -> Person:
    return superuser()


@pytest.fixture
def destination(project: Project) -> Destination:
    return a_destination(project, name="Acme's invoices")


def an_operation(project: Project, kind: str = "discard", **parameters: Any) -> Operation:
    return operation_create(project=project, kind=kind, parameters=parameters, actor=ACTOR)


def dead(destination: Destination, count: int = 1) -> list[Delivery]:
    return [a_delivery(an_event(destination.project), destination, State.DEAD) for _ in range(count)]


def test_the_list_and_the_page_show_how_far_it_is(
    root: Person, destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "CHUNK", 2)
    dead(destination, 5)
    operation = an_operation(destination.project, error="timeout")
    advance(operation.pk)
    for page in (root.get(LIST), root.get(PAGE, operation.pk)):
        assert '<progress class="tl-progress" value="40" max="100">' in text_of(page)
    shown = text_of(root.get(PAGE, operation.public_id))
    for part in ("2 of 5", "0 deliveries", "timeout", operation.public_id, "takes dead deliveries out of the queue"):
        assert part in shown, part
    assert operation.public_id in text_of(root.get(LIST, q=operation.public_id))
    assert root.rows(LIST, state="running", kind="discard") == [operation]
    assert root.rows(LIST, state="paused") == []


def test_row_actions_hold_it_and_call_it_off(root: Person, project: Project) -> None:
    operation = an_operation(project)
    for action, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        assert operation.public_id in root.act(f"deliveries_operation_{action}", operation)[-1]
        operation.refresh_from_db()
        assert operation.state == state
    assert root.act("deliveries_operation_resume", operation)[-1] == "it is cancelled already"
    told = AuditEntry.objects.filter(target=operation.public_id, actor_id=root.user.public_id)
    assert set(told.values_list("action", flat=True)) == {f"operation.{w}" for w in ("paused", "resumed", "cancelled")}


def test_one_is_asked_for_in_a_form(root: Person, destination: Destination) -> None:
    fields = {"kind": "recover", "since": "2026-01-01 08:00", "destination": destination.public_id, "error": "timeout"}
    answer = root.post(ADD, project=str(destination.project_id), **fields)
    assert answer.status_code == 302, text_of(answer)
    operation = Operation.objects.get()
    assert (operation.kind, operation.actor_label) == ("recover", "root@example.com")
    assert operation.parameters == {
        "since": "2026-01-01T08:00:00Z", "destination": destination.public_id, "error": "timeout"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"kind": "recover"}, "is required"),
        ({"kind": "recover", "since": "yesterday"}, "valid date/time"),
        ({"kind": "discard", "destination": "dst_nonsense"}, "not an id"),
        ({"kind": "discard", "subject": "42"}, "unknown field"),
        ({"kind": "cancel"}, "say which"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(
    fields: dict[str, str], complaint: str, root: Person, project: Project
) -> None:
    assert complaint in refused(root.post(ADD, project=str(project.pk), **fields))
    assert not Operation.objects.exists()


def test_the_dead_of_a_list_lead_to_an_operation_on_all_of_them(root: Person, destination: Destination) -> None:
    query = {"state": "dead", "last_error": "timeout", "q": destination.public_id}
    link = root.get("deliveries_delivery_changelist", **query).context["all_that_match"]
    assert urlsplit(link).path == reverse(f"admin:{ADD}")
    assert parse_qs(urlsplit(link).query) == {
        "kind": ["recover"], "error": ["timeout"], "destination": [destination.public_id]
    }  # fmt: skip
    form = text_of(root.client.get(link))
    assert f'value="{destination.public_id}"' in form
    assert '<option value="recover" selected>' in form
    assert "all that match" not in text_of(root.get("deliveries_delivery_changelist"))


def test_ticked_ones_are_discarded(root: Person, destination: Destination) -> None:
    rows = dead(destination, 2)
    ready = a_delivery(an_event(destination.project), destination)
    told = root.act_on("deliveries_delivery_changelist", "discard_selected", *rows, ready)
    assert told == ["Discard: done for 2", f"{ready}: it is ready, not dead"]
    assert Delivery.objects.filter(state=State.CANCELLED, reason="discarded").count() == 2


def test_a_time_is_replayed_to_a_destination(root: Person, destination: Destination) -> None:
    since = now() - timedelta(hours=1)
    event = an_event(destination.project)
    asked = {"since": f"{since:%Y-%m-%d %H:%M}", "only_matching": "on"}
    [told] = root.act("destinations_destination_replay_range", destination, **asked)
    operation = Operation.objects.get()
    assert told == f"{operation.public_id} replays to Acme's invoices"
    advance(operation.pk)
    assert [row.event_id for row in Delivery.objects.filter(destination=destination)] == [event.pk]


def test_a_large_recovery_says_what_goes_on(
    root: Person, destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "CHUNK", 2)
    monkeypatch.setattr(services, "CHUNK", 2)
    dead(destination, 3)
    [told] = root.act("destinations_destination_recover", destination, hours="24")
    rest = Operation.objects.get().public_id
    assert told == f"2 deliveries to Acme's invoices are due again; {rest} goes on with the rest"


# Permissions


def test_members_see_their_projects_operations_and_strangers_none(project: Project) -> None:
    operation, elsewhere = an_operation(project), an_operation(a_project())
    member, stranger = staff("member@example.com", project), staff("stranger@example.com", a_project())
    assert member.rows(LIST) == [operation]
    assert member.rows(LIST, q=elsewhere.public_id) == []
    assert stranger.rows(LIST) == []
    assert stranger.post("deliveries_operation_cancel", operation.pk, _form_submitted="on").status_code == 404
    answer = stranger.post(ADD, project=str(project.pk), kind="discard")
    assert "Select a valid choice" in refused(answer)
    assert Operation.objects.count() == 2


@pytest.mark.parametrize(("role", "may"), [(VIEWER, False), (DEVELOPER, True)])
def test_acting_needs_a_role_with_the_scope(role: str, may: bool, project: Project) -> None:
    person, operation = staff("member@example.com", project, role=role), an_operation(project)
    assert (person.get(ADD).status_code == 200) is may
    assert (person.post(ADD, project=str(project.pk), kind="discard").status_code == 302) is may
    told = person.act("deliveries_operation_pause", operation)
    assert ("deliveries:write" in told[0]) is not may
    assert Operation.objects.count() == (2 if may else 1)
    dead_list = person.get("deliveries_delivery_changelist", state="dead")
    assert bool(dead_list.context["all_that_match"]) is may


def test_operations_are_not_changed_or_deleted_here(root: Person, project: Project) -> None:
    operation = an_operation(project)
    assert root.post(PAGE, operation.pk, kind="recover").status_code == 403
    assert root.get("deliveries_operation_delete", operation.pk).status_code == 403
