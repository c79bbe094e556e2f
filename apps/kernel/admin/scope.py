"""Whose rows a page shows: all to a superuser, to other staff those of the projects they are a member of."""

from typing import Any, Protocol, cast
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import HttpRequest

KNOWN = "_trunkline_projects"


class Person(Protocol):
    """What we ask of the signed-in user."""

    is_superuser: bool
    email: str
    public_id: str
    projects: Any


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


def within_projects[M: Model](rows: QuerySet[M], request: HttpRequest, path: str) -> QuerySet[M]:
    """The rows the user may see; `path` leads from a row to its project's id."""
    allowed = project_ids(request)
    return rows if allowed is None else rows.filter(**{f"{path}__in": allowed})
