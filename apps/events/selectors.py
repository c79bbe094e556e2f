"""Reads of events and event types."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from apps.accounts.models import Project
from apps.events.models import Event, EventType, SchemaVersion


def event_types(project: Project) -> QuerySet[EventType]:
    return EventType.objects.filter(project=project).prefetch_related("versions")


def events(project: Project) -> QuerySet[Event]:
    return Event.objects.filter(project=project)


def registered_types(project_id: UUID) -> dict[str, dict[int, str]]:
    """By name, the schemas of every registered type by their version."""
    names = EventType.objects.filter(project_id=project_id).values_list("name", flat=True)
    found: dict[str, dict[int, str]] = {name: {} for name in names}
    versions = SchemaVersion.objects.filter(event_type__project_id=project_id)
    for name, version, schema in versions.values_list("event_type__name", "version", "schema"):
        found.setdefault(name, {})[version] = schema
    return found


def newest_version(event_type_id: UUID) -> int:
    """The newest schema's version, 0 where there is none."""
    newest = SchemaVersion.objects.filter(event_type=event_type_id).order_by("-version")
    return newest.values_list("version", flat=True).first() or 0


def with_newest_version(types: QuerySet[EventType]) -> QuerySet[EventType]:
    """For lists: each type with `newest`, without reading any schema."""
    newest = SchemaVersion.objects.filter(event_type=OuterRef("pk")).order_by("-version")
    return types.annotate(newest=Subquery(newest.values("version")[:1]))


def events_by_id(event_ids: Iterable[UUID]) -> QuerySet[Event]:
    """These events, of whatever project, with their data: for the engine."""
    return Event.objects.filter(pk__in=list(event_ids))
