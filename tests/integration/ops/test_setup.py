"""Setting up: everything on the first run, nothing on the second."""

import pytest
from django.contrib.auth import authenticate
from django.db import connection

from apps.accounts.models import ApiKey, Project, User
from apps.accounts.selectors import api_key_principal
from apps.audit.models import AuditEntry
from apps.ops.checks import collation_tells_case
from apps.ops.setup import FIRST_EMAIL, FIRST_PROJECT, pending_migrations, prepare

pytestmark = pytest.mark.django_db


def test_the_first_run_makes_a_login_a_project_and_a_key() -> None:
    welcome = prepare()
    assert welcome.password is not None
    assert welcome.api_key is not None
    user = authenticate(username=FIRST_EMAIL, password=welcome.password)
    assert user is not None
    assert user.is_superuser
    principal = api_key_principal(welcome.api_key)
    assert principal is not None
    assert principal.project.name == FIRST_PROJECT
    assert set(AuditEntry.objects.values_list("actor_kind", flat=True)) == {"command"}


def test_the_second_run_changes_nothing_and_shows_no_secret() -> None:
    prepare()
    before = [list(model._default_manager.values()) for model in (User, Project, ApiKey)]
    again = prepare()
    assert (again.password, again.api_key) == (None, None)
    assert [list(model._default_manager.values()) for model in (User, Project, ApiKey)] == before


def test_who_has_a_login_of_their_own_gets_no_other() -> None:
    User.objects.create_superuser("ada@example.com", "pass-word")
    assert prepare().password is None


def test_nothing_is_pending_after_migrate() -> None:
    assert not pending_migrations()


def test_the_test_database_itself_tells_case() -> None:
    assert collation_tells_case(databases=["default"]) == []


@pytest.mark.database("mysql")
def test_a_database_that_does_not_is_refused() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION collation_database = 'utf8mb4_general_ci'")
        try:
            [error] = collation_tells_case(databases=["default"])
        finally:
            cursor.execute("SET SESSION collation_database = 'utf8mb4_bin'")
    assert error.id == "trunkline.E001"
    assert "utf8mb4_nopad_bin" in (error.hint or "")
