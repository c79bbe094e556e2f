"""The admin's first page and its search: a few numbers that cost an index look-up each, and the way to any id."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from unfold.dataclasses import SearchResult  # type: ignore[import-untyped]

from apps.accounts.models import ApiKey, Membership, Project, User
from apps.deliveries.models import Attempt, Delivery, Operation
from apps.deliveries.selectors import engines_alive, oldest_due_age
from apps.deliveries.states import State
from apps.destinations.models import Consumer, Destination, Status
from apps.events.models import Event, EventType
from apps.kernel.admin import change_url, moment, row_link, within_projects
from apps.kernel.ids import InvalidId, decode
from apps.kernel.walks import end_of_walk, up_to

MOST_SHOWN = 10
LATE_AFTER = 60.0  # seconds a delivery may be due before the page says so in red
MODELS: Mapping[str, type[Model]] = {
    "evt": Event,
    "dlv": Delivery,
    "opr": Operation,
    "dst": Destination,
    "con": Consumer,
    "ety": EventType,
    "prj": Project,
    "mem": Membership,
    "key": ApiKey,
    "usr": User,
}


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """unfold's DASHBOARD_CALLBACK. Shows no table the user may not view, and no row of another's project."""
    may = {
        label: request.user.has_perm(label) for label in ("deliveries.view_delivery", "destinations.view_destination")
    }
    engines, age = list(engines_alive()), oldest_due_age()
    return {
        **context,
        "engines": len(engines),
        "sending": sum(engine.sending for engine in engines),
        "oldest_due": _spelt(age),
        "late": age > LATE_AFTER,
        "dead": _dead(request) if may["deliveries.view_delivery"] else None,
        "held": _held(request) if may["destinations.view_destination"] else None,
    }


def _spelt(seconds: float) -> str:
    """A span in the unit people would use."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _dead(request: HttpRequest) -> dict[str, Any]:
    """The last deliveries that were given up, as far as a bounded walk finds the user's among them."""
    dead = Delivery.objects.filter(state=State.DEAD)
    rows = up_to(within_projects(dead, request, "project_id"), end_of_walk(dead)).order_by("-pk")
    rows = rows.select_related("event", "destination").defer("event__data", "destination__sealed_config")
    return {
        "headers": ["finished", "delivery", "event type", "destination", "last answer"],
        "rows": [
            [
                moment(row.finished_at),
                row_link("deliveries.delivery", row.pk, row.public_id),
                row.event.type,
                str(row.destination),
                " · ".join(str(part) for part in (row.last_status_code, row.last_error) if part),
            ]
            for row in rows[:MOST_SHOWN]
        ],
    }


def _held(request: HttpRequest) -> dict[str, Any]:
    """Destinations that get nothing now."""
    rows = within_projects(Destination.objects.filter(deleted_at=None), request, "project_id")
    rows = rows.exclude(status=Status.ENABLED).order_by("-status_at")
    return {
        "headers": ["since", "destination", "status", "reason"],
        "rows": [
            [
                moment(row.status_at),
                row_link("destinations.destination", row.pk, str(row)),
                row.status,
                row.status_reason.replace("_", " "),
            ]
            for row in rows[:MOST_SHOWN]
        ],
    }


def find(request: HttpRequest, term: str) -> list[SearchResult]:
    """unfold's search_callback: the row of a public id, where the user may see it."""
    prefix = term.strip().rpartition("_")[0]
    try:
        pk = decode(prefix, term.strip())
    except InvalidId:
        return []
    if prefix == "att":
        prefix, pk = "dlv", Attempt.objects.filter(pk=pk).values_list("delivery_id", flat=True).first() or pk
    return _found(request, prefix, str(pk)) if prefix in MODELS else []


def _found(request: HttpRequest, prefix: str, pk: str) -> list[SearchResult]:
    model = MODELS[prefix]
    page = admin.site.get_model_admin(model)
    row = page.get_object(request, pk)
    if row is None or not page.has_view_permission(request, row):
        return []
    name = str(model._meta.verbose_name)
    return [SearchResult(title=str(row), description=name, link=change_url(model._meta.label_lower, pk), icon="tag")]
