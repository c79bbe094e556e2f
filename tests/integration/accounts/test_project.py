"""A project's own settings over REST and in the admin: its egress rules, and what they do to its destinations."""

from typing import Any

import pytest

from apps.accounts.models import Project
from apps.audit.models import AuditEntry
from apps.destinations.store import opened, sealed_targets
from tests.integration.cast import NOWHERE, Caller, a_destination, caller
from tests.integration.staff import refused, superuser

NO_MEMBERS = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
pytestmark = pytest.mark.django_db


def test_it_shows_the_caller_s_project(owner: Caller) -> None:
    seen = owner.get("project").body
    assert (seen["id"], seen["name"], seen["egress"]) == (owner.project.public_id, owner.project.name, {})


def test_fields_are_replaced_and_taken_out(owner: Caller) -> None:
    owner.patch("project", {"egress": {"deny": ["203.0.113.0/24"], "ports": [443]}})
    answer = owner.patch("project", {"egress": {"ports": None, "https_only": True}})
    assert answer.body["egress"] == {"deny": ["203.0.113.0/24"], "https_only": True}
    assert owner.get("project").body["egress"] == answer.body["egress"]
    entry = AuditEntry.objects.filter(action="project.changed").latest("pk")
    assert entry.changes == {"egress": answer.body["egress"]}


WRONG = [
    ({"egress": {"deny": ["10.0.0.1/8"]}}, [("/egress/deny/0", "invalid")]),
    ({"egress": {"dny": []}}, [("/egress/dny", "unknown_field")]),
    ({"egress": []}, [("/egress", "wrong_type")]),
    ({"name": "other"}, [("/name", "unknown_field")]),
]


@pytest.mark.parametrize(("body", "faults"), WRONG)
def test_what_is_refused_changes_nothing(owner: Caller, body: Any, faults: list[tuple[str, str]]) -> None:
    answer = owner.patch("project", body)
    assert (answer.status, answer.faults) == (422, faults)
    assert Project.objects.get(pk=owner.project.pk).egress == {}


def test_it_takes_the_project_s_scope(project: Project) -> None:
    without = caller(project, ["destinations:read", "destinations:write", "members:write"])
    assert without.get("project").status == 200
    assert without.patch("project", {"egress": {}}).status == 403


def test_new_destinations_are_judged_by_it_and_others_projects_are_not(owner: Caller, stranger: Caller) -> None:
    owner.patch("project", {"egress": {"https_only": True}})
    answer = owner.post("destinations", {"url": NOWHERE})
    assert (answer.status, answer.faults) == (422, [("/url", "https_required")])
    assert "the project's rules" in answer.body["errors"][0]["detail"]
    assert stranger.post("destinations", {"url": NOWHERE}).status == 201


def test_the_engine_has_it_with_the_next_claim(owner: Caller) -> None:
    destination = a_destination(owner.project)

    def target() -> Any:
        return opened(destination.pk, sealed_targets([destination.pk])[destination.pk])

    assert target().egress is None
    owner.patch("project", {"egress": {"ports": [443]}})
    assert target().egress.ports == {443}
    assert target().egress is target().egress
    owner.patch("project", {"egress": {"ports": None}})
    assert target().egress is None


def test_the_admin_sets_it_and_says_what_is_wrong(project: Project) -> None:
    root, page = superuser(), "accounts_project_change"
    answer = root.post(page, project.pk, name="billing", egress='{"deny": ["10.0.0.1/8"]}', **NO_MEMBERS)
    assert "is no network" in refused(answer)
    for written, stored in (('{"deny": ["10.0.0.0/8"]}', {"deny": ["10.0.0.0/8"]}), ("", {})):
        assert root.post(page, project.pk, name="billing", egress=written, **NO_MEMBERS).status_code == 302
        assert Project.objects.get(pk=project.pk).egress == stored
