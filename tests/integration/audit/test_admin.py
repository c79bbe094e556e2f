"""The admin's pages of the audit trail."""

import pytest

from apps.accounts.models import Project
from apps.audit.models import AuditEntry
from apps.audit.services import audit_record
from tests.integration.cast import ACTOR, a_project
from tests.integration.staff import Person, staff, superuser, text_of

LIST = "audit_auditentry_changelist"


@pytest.fixture
def root(db: None) -> Person:
    return superuser()


@pytest.fixture
def entry(project: Project) -> AuditEntry:
    audit_record(
        actor=ACTOR, action="thing.done", target="dst_x", project_id=project.pk, changes={"name": "<b>Söhne</b>"}
    )
    return AuditEntry.objects.get(action="thing.done")


@pytest.mark.parametrize("text", ["dst_x", "thing.done", "tests"])
def test_an_entry_is_found(text: str, root: Person, entry: AuditEntry) -> None:
    assert entry in root.rows(LIST, q=text)
    assert root.rows(LIST, q="something else") == []


def test_it_is_narrowed_by_who(root: Person, entry: AuditEntry) -> None:
    assert entry in root.rows(LIST, actor_kind="command")
    assert entry not in root.rows(LIST, actor_kind="user")


def test_the_page_shows_what_changed(root: Person, entry: AuditEntry) -> None:
    answer = root.get("audit_auditentry_change", entry.pk)
    assert '"name": "<b>Söhne</b>"' in text_of(answer)
    assert b"<b>S" not in answer.content


def test_nobody_writes_it(root: Person, entry: AuditEntry) -> None:
    assert root.post("audit_auditentry_change", entry.pk, action="other").status_code == 403
    assert root.post("audit_auditentry_delete", entry.pk, post="yes").status_code == 403
    assert AuditEntry.objects.get(pk=entry.pk).action == "thing.done"


def test_members_see_their_projects_entries(project: Project, entry: AuditEntry) -> None:
    member, stranger = staff("member@example.com", project), staff("stranger@example.com", a_project())
    assert entry in member.rows(LIST)
    assert entry not in stranger.rows(LIST)
    assert stranger.get("audit_auditentry_change", entry.pk).status_code == 302
