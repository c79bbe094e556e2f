"""Members and their roles; a project is never left without an owner."""

from collections.abc import Callable
from threading import Event

import pytest
from django.contrib.auth.models import Group
from django.db import transaction

from apps.accounts.models import Membership, Project, User
from apps.accounts.roles import role_scopes, roles_sync
from apps.accounts.scopes import ROLES, SCOPES
from apps.accounts.services import first_superuser_create, member_add, member_change, member_remove
from apps.audit.models import AuditEntry
from apps.kernel.errors import Conflict, Forbidden
from tests.integration.cast import ACTOR, Caller, a_project, caller
from tests.integration.threads import PATIENCE, at_once


@pytest.mark.django_db
@pytest.mark.parametrize("role", ROLES)
def test_after_migrate_each_role_is_a_group_with_its_scopes(role: str) -> None:
    group = Group.objects.get(name=role)
    assert role_scopes([group]) == ROLES[role]
    assert {p.codename for p in group.permissions.all()} == ROLES[role]


@pytest.mark.django_db
def test_every_scope_is_a_permission_staff_can_hand_out() -> None:
    every = Group.objects.get(name="owner").permissions.all()
    assert {permission.codename: permission.name for permission in every} == dict(SCOPES)


@pytest.mark.django_db
def test_what_staff_edited_stays_and_what_is_missing_comes_back() -> None:
    viewer = Group.objects.get(name="viewer")
    viewer.permissions.clear()
    Group.objects.get(name="developer").delete()
    roles_sync(using="default")
    assert role_scopes([viewer]) == frozenset()
    assert role_scopes([Group.objects.get(name="developer")]) == ROLES["developer"]


@pytest.mark.django_db
def test_create_look_change_remove(owner: Caller) -> None:
    made = owner.post("members", {"email": "Ada@Example.com", "role": "developer"})
    assert made.status == 201
    assert (made.body["email"], made.body["role"]) == ("ada@example.com", "developer")
    path = f"members/{made.body['id']}"
    assert owner.get(path).body == made.body
    assert owner.patch(path, {"role": "viewer"}).body == {**made.body, "role": "viewer"}
    assert [row["role"] for row in owner.all("members")] == ["viewer"]
    assert owner.delete(path).status == 204
    assert owner.get(path).status == 404
    assert User.objects.filter(email="ada@example.com").exists()  # a person outlives a membership
    actions = AuditEntry.objects.filter(target=made.body["id"]).values_list("action", flat=True)
    assert sorted(actions) == ["member.added", "member.changed", "member.removed"]


@pytest.mark.django_db
def test_a_person_is_one_user_however_the_address_is_spelled(owner: Caller) -> None:
    owner.post("members", {"email": "ada@example.com", "role": "viewer"})
    again = owner.post("members", {"email": "ADA@example.com", "role": "owner"})
    assert (again.status, again.body["code"]) == (409, "already_member")
    elsewhere = caller(a_project())
    assert elsewhere.post("members", {"email": "Ada@example.com", "role": "viewer"}).status == 201
    assert User.objects.filter(email__iexact="ada@example.com").count() == 1


@pytest.mark.django_db
def test_a_new_member_cannot_log_in_yet(owner: Caller) -> None:
    owner.post("members", {"email": "ada@example.com", "role": "viewer"})
    user = User.objects.get(email="ada@example.com")
    assert (user.has_usable_password(), user.is_staff, user.is_superuser) == (False, False, False)


WRONG = [
    ({"role": "viewer"}, [("/email", "required")]),
    ({"email": "nobody", "role": "viewer"}, [("/email", "invalid")]),
    ({"email": "a@example.com", "role": "king"}, [("/role", "invalid_choice")]),
    ({"email": "a@example.com", "role": "viewer", "name": "Ada"}, [("/name", "unknown_field")]),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("body", "faults"), WRONG)
def test_what_no_member_can_be(owner: Caller, body: object, faults: list[tuple[str, str]]) -> None:
    refused = owner.post("members", body)
    assert (refused.status, refused.faults) == (422, faults)


@pytest.mark.django_db
@pytest.mark.parametrize(("role", "status"), [("owner", 403), ("admin", 201), ("developer", 201), ("viewer", 201)])
def test_an_admin_makes_anything_but_owners(project: Project, role: str, status: int) -> None:
    admin = caller(project, ROLES["admin"])
    assert admin.post("members", {"email": "a@example.com", "role": role}).status == status
    other = member_add(project=project, email="b@example.com", role="viewer", actor=ACTOR)
    changed = admin.patch(f"members/{other.public_id}", {"role": role})
    assert changed.status == (200 if status == 201 else 403)


@pytest.mark.django_db
def test_the_last_owner_stays(owner: Caller) -> None:
    first = owner.post("members", {"email": "a@example.com", "role": "owner"}).body
    path = f"members/{first['id']}"
    for refused in (owner.delete(path), owner.patch(path, {"role": "admin"})):
        assert (refused.status, refused.body["code"]) == (409, "last_owner")
    assert owner.patch(path, {"role": "owner"}).status == 200  # still an owner: nothing lost
    second = owner.post("members", {"email": "b@example.com", "role": "owner"}).body
    assert owner.delete(path).status == 204
    assert owner.delete(f"members/{second['id']}").status == 409


def step_down(membership: Membership) -> None:
    member_change(membership=membership, role="viewer", actor=ACTOR)


def leave(membership: Membership) -> None:
    member_remove(membership=membership, actor=ACTOR)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("second", [leave, step_down])
def test_two_who_each_remove_the_other_owner(second: Callable[[Membership], None]) -> None:
    project = a_project()
    owners = [member_add(project=project, email=f"{n}@example.com", role="owner", actor=ACTOR) for n in "ab"]
    removed, answered = Event(), Event()

    def first_but_slow() -> None:
        with transaction.atomic():
            leave(owners[0])
            removed.set()
            answered.wait(0.5)  # it can't come: the second has to wait for this transaction's end

    def second_meanwhile() -> None:
        assert removed.wait(PATIENCE)
        try:
            second(owners[1])
        finally:
            answered.set()

    done, refused = at_once([first_but_slow, second_meanwhile])
    assert done is None
    assert isinstance(refused, Conflict), refused
    assert Membership.objects.filter(project=project, role__name="owner").count() == 1


@pytest.mark.django_db
def test_the_first_superuser_is_made_once_and_can_log_in() -> None:
    password = first_superuser_create(email="admin@localhost")
    assert password is not None
    user = User.objects.get(email="admin@localhost")
    assert user.check_password(password)
    assert (user.is_staff, user.is_superuser) == (True, True)
    assert first_superuser_create(email="other@localhost") is None
    assert not User.objects.filter(email="other@localhost").exists()


@pytest.mark.django_db
def test_nobody_moves_or_removes_those_who_may_do_more() -> None:
    project = a_project()
    owner = member_add(project=project, email="owner@example.com", role="owner", actor=ACTOR)
    member_add(project=project, email="second@example.com", role="owner", actor=ACTOR)
    with pytest.raises(Forbidden):
        member_change(membership=owner, role="viewer", actor=ACTOR, granted=ROLES["admin"])
    with pytest.raises(Forbidden):
        member_remove(membership=owner, actor=ACTOR, granted=ROLES["admin"])
    assert Membership.objects.get(pk=owner.pk).role.name == "owner"
