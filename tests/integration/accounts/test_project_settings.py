"""A project's own settings over REST, its quotas to look at, and who sets those: nobody of the project."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from apps.accounts.models import Project, Usage
from apps.accounts.quotas import LARGEST_QUOTAS
from apps.accounts.services import project_change
from apps.audit.models import AuditEntry
from apps.kernel.clock import now
from tests.integration.accounts.test_admin import NO_MEMBERS
from tests.integration.cast import ACTOR, Caller
from tests.integration.staff import staff, superuser

pytestmark = pytest.mark.django_db
NONE = dict.fromkeys((name.removeprefix("quota_") for name in LARGEST_QUOTAS), None)
FIELDS = {"name": "billing", "retention_days": "", "retention_events": "", "payload_days": ""}


def test_what_a_project_has(project: Project, viewer: Caller, settings: Settings) -> None:
    shown = viewer.get("project").body
    assert shown["id"] == project.public_id
    assert (shown["quotas"], shown["events_this_month"], shown["payload_days"]) == (NONE, None, None)
    project_change(project=project, actor=ACTOR, quota_events_per_month=9)
    settings.QUOTAS = {**settings.QUOTAS, "quota_backlog": 7}
    Usage.objects.create(project=project, month=now().date().replace(day=1), events=4)
    shown = viewer.get("project").body
    assert (shown["quotas"], shown["events_this_month"]) == (NONE | {"events_per_month": 9, "backlog": 7}, 4)


def test_what_is_kept_is_the_owners_to_set(project: Project, owner: Caller, viewer: Caller) -> None:
    wanted = {"retention_days": 30, "retention_events": 0, "payload_days": 7}
    assert viewer.patch("project", wanted).status == 403
    answer = owner.patch("project", wanted)
    assert (answer.status, answer.body | wanted) == (200, answer.body)
    assert owner.patch("project", {"payload_days": None}).body["payload_days"] is None
    project.refresh_from_db()
    assert (project.retention_days, project.retention_events, project.payload_days) == (30, 0, None)
    assert AuditEntry.objects.filter(action="project.changed").latest("at").changes == {"payload_days": None}


@pytest.mark.parametrize(
    "wrong",
    [{"payload_days": -1}, {"payload_days": 36_501}, {"retention_days": "x"}, {"quotas": {}}, {"quota_backlog": 1}],
)
def test_what_is_refused(project: Project, owner: Caller, wrong: dict[str, Any]) -> None:
    answer = owner.patch("project", wrong)
    assert (answer.status, answer.faults[0][0]) == (422, f"/{next(iter(wrong))}")


def test_quotas_are_the_superusers_to_set_in_the_admin(project: Project) -> None:
    wanted = dict.fromkeys(LARGEST_QUOTAS, "5")
    fields: dict[str, Any] = {**FIELDS, **wanted, **NO_MEMBERS, "payload_days": "4"}
    assert staff("owner@example.com", project).post("accounts_project_change", project.pk, **fields).status_code == 302
    project.refresh_from_db()
    assert (project.quota_backlog, project.payload_days) == (None, 4)
    assert superuser().post("accounts_project_change", project.pk, **fields).status_code == 302
    project.refresh_from_db()
    assert {getattr(project, name) for name in LARGEST_QUOTAS} == {5}


def test_the_command_sets_them() -> None:
    out = StringIO()
    numbers = {name: number for number, name in enumerate(LARGEST_QUOTAS, 1)}
    options = [f"--{name.replace('_', '-')}={number}" for name, number in numbers.items()]
    call_command("create_project", "limited", "--json", "--payload-days=3", *options, stdout=out)
    made = Project.objects.get(name="limited")
    assert json.loads(out.getvalue())["project"] == made.public_id
    assert ({name: getattr(made, name) for name in LARGEST_QUOTAS}, made.payload_days) == (numbers, 3)
    call_command("create_project", "limited", "--quota-backlog=0", stdout=out)
    made.refresh_from_db()
    assert (made.quota_backlog, made.quota_destinations) == (0, numbers["quota_destinations"])
    with pytest.raises(CommandError, match="quota_backlog"):
        call_command("create_project", "limited", "--quota-backlog=-1", stdout=out)
