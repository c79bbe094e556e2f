"""Whose rows a page shows, and who writes them: a superuser all, other staff as their role in the project allows."""

from typing import Any, Protocol, cast
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import HttpRequest

KNOWN = "_trunkline_projects"
HELD = "_trunkline_held"


class Person(Protocol):
    """What we ask of the signed-in user."""

    is_superuser: bool
    email: str
    public_id: str
    projects: Any
    memberships: Any


def person(request: HttpRequest) -> Person:
    """The signed-in user, where the admin site has let the request through."""
    return cast("Person", request.user)


def acting(request: HttpRequest) -> dict[str, str]:
    """The fields of the Actor that the audit trail names."""
    return {"kind": "user", "id": person(request).public_id, "label": person(request).email}


def project_ids(request: HttpRequest) -> list[UUID] | None:
    """The projects whose rows may be seen; None: all. One query a request."""
    if person(request).is_superuser:
        return None
    if not hasattr(request, KNOWN):
        setattr(request, KNOWN, list(person(request).projects.values_list("pk", flat=True)))
    found: list[UUID] = getattr(request, KNOWN)
    return found


def projects_granting(request: HttpRequest, scope: str) -> frozenset[UUID]:
    """The projects in which the user's role holds the scope, as the REST API asks for it. One query each a request."""
    known: dict[str, frozenset[UUID]] = request.__dict__.setdefault(HELD, {})
    if scope not in known:
        user, path = person(request), "role__permissions__"
        of_projects = user.projects.model._meta  # the model whose permissions are the scopes
        kind = {"app_label": of_projects.app_label, "model": of_projects.model_name}
        wanted = {f"{path}content_type__{name}": value for name, value in kind.items()}
        granting = user.memberships.filter(**wanted, **{f"{path}codename": scope})
        known[scope] = frozenset(granting.values_list("project_id", flat=True))
    return known[scope]


def within_projects[M: Model](rows: QuerySet[M], request: HttpRequest, path: str) -> QuerySet[M]:
    """The rows the user may see; `path` leads from a row to its project's id."""
    allowed = project_ids(request)
    return rows if allowed is None else rows.filter(**{f"{path}__in": allowed})
