"""The admin's pages of projects, members, API keys, people and roles."""

from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from apps.accounts.models import ApiKey, Membership, Project, User
from apps.accounts.roles import role_named
from apps.accounts.scopes import ADMIN, DEVELOPER, OWNER, VIEWER
from apps.accounts.selectors import api_key_principal
from apps.accounts.services import api_key_create, member_add
from apps.audit.models import AuditEntry
from tests.integration.cast import ACTOR, a_project
from tests.integration.staff import Person, queries_of, refused, staff, superuser, text_of

NO_MEMBERS = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}


@pytest.fixture
def root(db: None) -> Person:
    return superuser()


def actions() -> set[str]:
    """What the people at the admin did, as the audit trail has it."""
    return set(AuditEntry.objects.filter(actor_kind="user").values_list("action", flat=True))


# Projects


def test_a_project_is_made_by_the_service_and_its_maker_owns_it(root: Person) -> None:
    root.post("accounts_project_add", name="billing")
    project = Project.objects.get()
    assert project.memberships.get().role.name == OWNER
    assert actions() == {"project.created", "member.added"}


def test_a_changed_project_is_told_to_the_intake_and_the_trail(root: Person, project: Project) -> None:
    before = project.catalog_version
    root.post("accounts_project_change", project.pk, name="billing", require_registered_types="on", **NO_MEMBERS)
    project.refresh_from_db()
    assert project.require_registered_types
    assert project.catalog_version > before
    assert actions() == {"project.changed"}


def test_a_projects_retention(root: Person, project: Project) -> None:
    page = "accounts_project_change"
    root.post(page, project.pk, name="billing", retention_days="30", retention_events="1000", **NO_MEMBERS)
    project.refresh_from_db()
    assert (project.retention_days, project.retention_events) == (30, 1000)
    refused = root.post(page, project.pk, name="billing", retention_days="36501", **NO_MEMBERS)
    assert set(refused.context["adminform"].form.errors) == {"retention_days"}
    root.post(page, project.pk, name="billing", **NO_MEMBERS)
    project.refresh_from_db()
    assert (project.retention_days, project.retention_events) == (None, None)


def test_a_taken_name_is_an_error(root: Person, project: Project) -> None:
    assert root.post("accounts_project_add", name=project.name).context["adminform"].form.errors["name"]


def test_members_see_their_own_projects(project: Project) -> None:
    other = a_project("somebody else's")
    member = staff("member@example.com", project)
    assert member.rows("accounts_project_changelist") == [project]
    assert member.rows("accounts_project_changelist", q=project.public_id) == [project]
    assert member.get("accounts_project_change", other.pk).status_code == 302
    assert member.post("accounts_project_delete", project.pk, post="yes").status_code == 403


# Members


def test_members_are_added_changed_and_removed_by_services(root: Person, project: Project) -> None:
    member_add(project=project, email="owner@example.com", role=OWNER, actor=ACTOR)
    role = str(role_named(VIEWER).pk)
    root.post("accounts_membership_add", project=str(project.pk), email="New@Example.com", role=role)
    membership = Membership.objects.get(user__email="new@example.com")
    assert membership.role.name == VIEWER
    root.post("accounts_membership_change", membership.pk, role=str(role_named(ADMIN).pk))
    membership.refresh_from_db()
    assert membership.role.name == ADMIN
    root.post("accounts_membership_delete", membership.pk, post="yes")
    assert project.memberships.count() == 1
    assert actions() == {"member.added", "member.changed", "member.removed"}


def test_a_project_keeps_an_owner(root: Person, project: Project) -> None:
    owner = member_add(project=project, email="owner@example.com", role=OWNER, actor=ACTOR)
    answer = root.post("accounts_membership_change", owner.pk, role=str(role_named(VIEWER).pk))
    assert "at least one owner" in refused(answer)
    root.post("accounts_membership_delete", owner.pk, post="yes")
    assert Membership.objects.get().role.name == OWNER


def test_a_member_twice_is_an_error(root: Person, project: Project) -> None:
    member_add(project=project, email="owner@example.com", role=OWNER, actor=ACTOR)
    fields = {"project": str(project.pk), "email": "owner@example.com", "role": str(role_named(OWNER).pk)}
    assert "already" in refused(root.post("accounts_membership_add", **fields))


def test_nobody_hands_on_a_role_beyond_their_own(project: Project) -> None:
    person = staff("admin@example.com", project, role=ADMIN)
    own = Membership.objects.get(user=person.user)
    answer = person.post("accounts_membership_change", own.pk, role=str(role_named(OWNER).pk))
    assert "can't hand on" in refused(answer)
    own.refresh_from_db()
    assert own.role.name == ADMIN


def test_a_developer_changes_no_member_key_or_project(project: Project) -> None:
    person = staff("developer@example.com", project, role=DEVELOPER)
    owner = member_add(project=project, email="owner@example.com", role=OWNER, actor=ACTOR)
    key, _ = api_key_create(project=project, name="ci", actor=ACTOR)
    viewer = str(role_named(VIEWER).pk)
    asked: dict[str, Any] = {"project": str(project.pk), "email": "new@example.com", "role": viewer, "name": "x"}
    assert person.post("accounts_membership_add", **asked).status_code == 403
    assert person.post("accounts_membership_change", owner.pk, **asked).status_code == 403
    assert person.post("accounts_membership_delete", owner.pk, post="yes").status_code == 403
    assert person.post("accounts_apikey_add", **asked, scopes=["events:read"]).status_code == 403
    assert "api_keys:write" in person.act("accounts_apikey_revoke", key)[0]
    assert person.post("accounts_project_change", project.pk, name="renamed", **NO_MEMBERS).status_code == 403
    assert actions() == set()


def test_an_admin_may_not_rename_the_project_but_make_another(project: Project) -> None:
    person = staff("admin@example.com", project, role=ADMIN)
    assert person.post("accounts_project_change", project.pk, name="renamed", **NO_MEMBERS).status_code == 403
    assert person.post("accounts_project_add", name="parcels").status_code == 302
    made = Project.objects.get(name="parcels")
    assert person.post("accounts_project_change", made.pk, name="invoicing", **NO_MEMBERS).status_code == 302
    assert set(Project.objects.values_list("name", flat=True)) == {project.name, "invoicing"}


def test_nobody_removes_those_who_may_do_more(project: Project) -> None:
    person = staff("admin@example.com", project, role=ADMIN)
    owners = [member_add(project=project, email=f"{n}@example.com", role=OWNER, actor=ACTOR) for n in range(2)]
    person.post("accounts_membership_delete", owners[0].pk, post="yes")
    assert project.memberships.count() == 3


def test_a_role_that_staff_has_edited_counts_as_it_is_now(project: Project) -> None:
    person = staff("viewer@example.com", project, role=VIEWER)
    key, _ = api_key_create(project=project, name="ci", actor=ACTOR)
    role_named(VIEWER).permissions.add(Permission.objects.get(codename="api_keys:write"))
    assert person.act("accounts_apikey_revoke", key) == [f"{key} is revoked"]


# API keys


def test_a_key_is_shown_once_and_opens_the_api(root: Person, project: Project) -> None:
    answer = root.post("accounts_apikey_add", project=str(project.pk), name="ci", scopes=["events:write"])
    text = answer.context["text"]
    assert text in text_of(answer)
    assert "no-store" in answer["Cache-Control"]
    principal = api_key_principal(text)
    assert principal
    assert (principal.project, sorted(principal.scopes)) == (project, ["events:write"])
    key = ApiKey.objects.get()
    assert text not in text_of(root.get("accounts_apikey_change", key.pk))
    assert key.digest not in text_of(root.get("accounts_apikey_change", key.pk))
    assert text not in str(dict(root.client.session))


def test_a_key_is_revoked_by_the_service(root: Person, project: Project) -> None:
    key, text = api_key_create(project=project, name="ci", actor=ACTOR)
    root.act("accounts_apikey_revoke", key)
    assert api_key_principal(text) is None
    assert actions() == {"api_key.revoked"}
    assert "revoked" in text_of(root.get("accounts_apikey_changelist"))


def test_nobody_makes_a_key_beyond_their_own_role(project: Project) -> None:
    person = staff("admin@example.com", project, role=ADMIN)
    wanted: dict[str, Any] = {"project": str(project.pk), "name": "ci", "scopes": ["project:write"]}
    answer = person.post("accounts_apikey_add", **wanted)
    assert "can't hand on" in refused(answer)
    assert not ApiKey.objects.exists()
    assert person.post("accounts_apikey_add", **{**wanted, "scopes": ["events:read"]}).status_code == 200
    assert ApiKey.objects.exists()


def test_strangers_see_and_revoke_no_key(project: Project) -> None:
    key, _ = api_key_create(project=project, name="ci", actor=ACTOR)
    stranger = staff("stranger@example.com", a_project())
    assert stranger.rows("accounts_apikey_changelist") == []
    assert stranger.post("accounts_apikey_revoke", key.pk, _form_submitted="on").status_code == 404
    key.refresh_from_db()
    assert key.revoked_at is None


# People


def test_a_person_is_made_with_a_hashed_password_and_logs_in(root: Person) -> None:
    password = "correct horse battery"
    fields = {"email": "Ada@Example.com", "usable_password": "true", "password1": password, "password2": password}
    answer = root.post("accounts_user_add", **fields)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    ada = User.objects.get(email="ada@example.com")
    assert password not in ada.password
    assert authenticate(username="ada@example.com", password=password) == ada
    assert ada.password not in text_of(root.get("accounts_user_change", ada.pk))


def test_no_page_shows_any_of_a_password_hash(root: Person, project: Project) -> None:
    ada = User.objects.create_user("ada@example.com", "irrelevant")
    member_add(project=project, email=ada.email, role=VIEWER, actor=ACTOR)
    _, salt, digest = ada.password.split("$")
    looker = staff("looker@example.com", project, permissions="view_")
    for person in (looker, root):
        shown = text_of(person.get("accounts_user_change", ada.pk))
        assert ada.email in shown
        assert [part for part in (salt, digest, f"{salt[:2]}*", f"{digest[:6]}*") if part in shown] == []
    set_password = reverse("admin:auth_user_password_change", args=[ada.pk])
    assert set_password in text_of(root.get("accounts_user_change", ada.pk))
    assert set_password not in text_of(looker.get("accounts_user_change", ada.pk))


def test_saving_a_person_leaves_the_password(root: Person) -> None:
    ada = User.objects.create_user("ada@example.com", "correct horse battery")
    root.post("accounts_user_change", ada.pk, email="ada@example.com", is_active="on", password="evil")
    assert authenticate(username="ada@example.com", password="correct horse battery") == ada


def test_an_address_is_taken_whatever_its_case(root: Person) -> None:
    User.objects.create_user("ada@example.com", "irrelevant")
    fields = {"email": "ADA@example.com", "usable_password": "false"}
    assert root.post("accounts_user_add", **fields).context["adminform"].form.errors["email"]


def test_a_password_is_set_on_its_own_page(root: Person) -> None:
    ada, password = User.objects.create_user("ada@example.com", "old one"), "correct horse battery"
    fields = {"usable_password": "true", "password1": password, "password2": password, "set-password": "1"}
    assert root.post("auth_user_password_change", ada.pk, **fields).status_code == 302
    assert authenticate(username="ada@example.com", password=password) == ada
    assert actions() == {"user.password_changed"}


def test_a_person_is_made_inactive_and_not_deleted(root: Person) -> None:
    ada = User.objects.create_user("ada@example.com", "irrelevant")
    assert root.post("accounts_user_delete", ada.pk, post="yes").status_code == 403
    root.post("accounts_user_change", ada.pk, email="ada@example.com", name="Ada")
    ada.refresh_from_db()
    assert (ada.is_active, ada.name) == (False, "Ada")
    assert "user.changed" in actions()


def test_staff_with_every_permission_makes_nobody_a_superuser(root: Person, project: Project) -> None:
    member = staff("member@example.com", project)
    member_add(project=project, email=root.user.email, role=OWNER, actor=ACTOR)
    fields = {"email": "member@example.com", "is_superuser": "on", "is_staff": "on", "is_active": "on"}
    assert member.post("accounts_user_change", member.user.pk, **fields).status_code == 403
    assert member.post("auth_user_password_change", root.user.pk, password1="x", password2="x").status_code == 403
    assert member.post("accounts_user_add", email="evil@example.com").status_code == 403
    assert member.post("auth_group_change", Group.objects.get(name=VIEWER).pk, name=VIEWER).status_code == 403
    assert {row.email for row in member.rows("accounts_user_changelist")} == {"member@example.com", root.user.email}
    assert not User.objects.get(pk=member.user.pk).is_superuser


def test_whoever_shares_two_projects_is_listed_once(project: Project) -> None:
    member = staff("member@example.com", project, a_project())
    assert member.rows("accounts_user_changelist") == [member.user]


def test_the_four_roles_keep_their_names(root: Person) -> None:
    viewer = Group.objects.get(name=VIEWER)
    root.post("auth_group_change", viewer.pk, name="renamed", permissions=[])
    viewer.refresh_from_db()
    assert (viewer.name, viewer.permissions.count()) == (VIEWER, 0)
    assert root.post("auth_group_delete", viewer.pk, post="yes").status_code == 403


@pytest.mark.parametrize("page", ["accounts_membership", "accounts_apikey", "accounts_user", "accounts_project"])
def test_a_list_costs_the_same_for_twenty(page: str, root: Person) -> None:
    def grow() -> None:
        project = a_project()
        member_add(project=project, email=f"{project.pk}@example.com", role=OWNER, actor=ACTOR)
        api_key_create(project=project, name="ci", actor=ACTOR)

    grow()
    for_one = queries_of(root, f"{page}_changelist")
    for _ in range(19):
        grow()
    assert len(queries_of(root, f"{page}_changelist")) == len(for_one)
