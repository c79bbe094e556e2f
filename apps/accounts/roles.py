"""The four roles as Django groups, made and refreshed after each migrate."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group, Permission

from apps.accounts.scopes import ROLES, SCOPES


def roles_sync(*, using: str, **_: Any) -> None:
    """Make missing groups with their scopes; a group that staff has since edited keeps its edits."""
    scopes = Permission.objects.using(using).filter(
        content_type__app_label="accounts", content_type__model="project", codename__in=SCOPES
    )
    by_codename = {permission.codename: permission for permission in scopes}
    if len(by_codename) < len(SCOPES):
        return  # a partial migrate (to an earlier state): nothing to hand out yet
    for role, granted in ROLES.items():
        group, created = Group.objects.using(using).get_or_create(name=role)
        if created:
            group.permissions.set([by_codename[scope] for scope in granted])


def role_named(name: str) -> Group:
    """The group of that role; raises Group.DoesNotExist."""
    return Group.objects.get(name=name)


def role_scopes(roles: Iterable[Group]) -> frozenset[str]:
    """The scopes the roles hold, as the database has them now."""
    held = Permission.objects.filter(group__in=list(roles), content_type__model="project", codename__in=SCOPES)
    return frozenset(held.values_list("codename", flat=True))
