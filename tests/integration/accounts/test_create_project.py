"""`manage.py create_project`: repeat it as often as you like."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.models import Project
from apps.accounts.scopes import SCOPES
from apps.accounts.selectors import api_key_principal
from apps.audit.models import AuditEntry

pytestmark = pytest.mark.django_db


def create_project(*arguments: str) -> str:
    out = StringIO()
    call_command("create_project", *arguments, stdout=out)
    return out.getvalue()


def test_json_is_one_line_that_opens_the_project() -> None:
    out = create_project("billing", "--json")
    assert out.count("\n") == 1
    printed = json.loads(out)
    assert set(printed) == {"project", "api_key"}
    principal = api_key_principal(printed["api_key"])
    assert principal is not None
    assert (principal.project.name, principal.project.public_id) == ("billing", printed["project"])
    assert principal.scopes == set(SCOPES)


def test_again_keeps_the_project_and_makes_one_more_key() -> None:
    first, second = (json.loads(create_project("billing", "--json")) for _ in range(2))
    assert first["project"] == second["project"]
    assert first["api_key"] != second["api_key"]
    assert api_key_principal(first["api_key"])
    assert api_key_principal(second["api_key"])
    assert Project.objects.count() == 1


def test_for_people_it_says_that_the_key_is_shown_only_now() -> None:
    out = create_project("billing")
    assert "tl_" in out
    assert "only now" in out


@pytest.mark.parametrize("name", ["", "x" * 101])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(CommandError):
        create_project(name)
    assert not Project.objects.exists()


def test_retention_of_a_new_project_and_of_one_that_exists() -> None:
    create_project("billing", "--retention-days", "30")
    made = Project.objects.get()
    assert (made.retention_days, made.retention_events) == (30, None)
    create_project("billing", "--retention-events", "1000")
    create_project("billing")
    made.refresh_from_db()
    assert (made.retention_days, made.retention_events) == (30, 1000)
    changed = AuditEntry.objects.get(action="project.changed")
    assert (changed.target, changed.changes) == (made.public_id, {"retention_events": 1000})


@pytest.mark.parametrize("days", ["-1", "36501"])
def test_a_retention_that_is_none(days: str) -> None:
    with pytest.raises(CommandError, match="retention_days"):
        create_project("billing", "--retention-days", days)
    assert not Project.objects.exists()
