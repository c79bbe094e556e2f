"""The admin's pages of event types, events and idempotency keys."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.audit.services import Actor
from apps.events.admin_forms import EventTypeForm
from apps.events.models import Event, EventType, IdempotencyKey, SchemaVersion
from apps.events.selectors import events_keyed, with_newest_version
from apps.events.services import event_type_change, event_type_create, event_type_delete
from apps.events.store import hashes_of, key_hash
from apps.kernel.admin import (
    SEARCH_SPAN,
    DataPlaneAdmin,
    PeriodFilter,
    ProjectFilter,
    ReadOnlyInline,
    ScopedAdmin,
    Section,
    SinceFilter,
    acting,
    adopt,
    code_block,
    display,
    facts,
    id_link,
    moment,
    mono,
    person,
    pretty_json,
    project_ids,
    within_projects,
)
from apps.kernel.clock import now
from apps.kernel.ids import InvalidId, decode, first_id

MOST_PROJECTS = 100  # whose idempotency keys one search tries


class SchemaVersionInline(ReadOnlyInline[SchemaVersion, EventType]):
    """All versions, newest first. A new one is made by changing the schema above."""

    model = SchemaVersion
    fields = readonly_fields = ("version", "made", "text")

    @display("made")
    def made(self, version: SchemaVersion) -> SafeString | str:
        return moment(version.created_at)

    @display("schema")
    def text(self, version: SchemaVersion) -> SafeString:
        return code_block(pretty_json(version.schema.encode()), f"schema, version {version.version}")


@admin.register(EventType)
class EventTypeAdmin(ScopedAdmin[EventType]):
    """Registered names with their descriptions and schemas."""

    write_scope = "event_types:write"
    form = EventTypeForm
    id_lookups = {"ety": "pk", "prj": "project_id"}
    search_fields = ("name", "description")
    search_help_text = "a name, a word of the description, ety_…"
    list_display = ("name", "newest_version", "is_current", "project", "made")
    list_filter = (ProjectFilter, "deprecated")
    list_filter_options = {"project": {"horizontal": True}}
    list_select_related = ("project",)
    fields = ("project", "name", "description", "deprecated", "schema")

    def get_queryset(self, request: HttpRequest) -> QuerySet[EventType]:
        return with_newest_version(super().get_queryset(request)).select_related("project")

    def get_inlines(self, request: HttpRequest, obj: EventType | None) -> tuple[type[SchemaVersionInline], ...]:
        return (SchemaVersionInline,) if obj else ()

    def get_readonly_fields(self, request: HttpRequest, obj: EventType | None = None) -> tuple[str, ...]:
        return ("project", "name") if obj else ()

    @display("schema version")
    def newest_version(self, event_type: EventType) -> str:
        newest: int | None = getattr(event_type, "newest", None)
        return str(newest) if newest else "no schema"

    @display("status", label={"current": "success", "deprecated": "warning"})
    def is_current(self, event_type: EventType) -> str:
        return "deprecated" if event_type.deprecated else "current"

    @display("registered")
    def made(self, event_type: EventType) -> SafeString | str:
        return moment(event_type.created_at)

    def save_model(self, request: HttpRequest, obj: EventType, form: ModelForm[EventType], change: bool) -> None:
        actor, asked = Actor(**acting(request)), form.cleaned_data
        wanted = {name: asked[name] for name in ("description", "deprecated", "schema") if name in form.changed_data}
        if change:
            event_type_change(event_type=EventType.objects.get(pk=obj.pk), actor=actor, **wanted)
        else:
            adopt(obj, event_type_create(project=obj.project, name=obj.name, actor=actor, **wanted))

    def delete_model(self, request: HttpRequest, obj: EventType) -> None:
        event_type_delete(event_type=obj, actor=Actor(**acting(request)))


@admin.register(Event)
class EventAdmin(DataPlaneAdmin[Event]):
    """Events as they were accepted."""

    id_lookups = {"evt": "pk", "dlv": "deliveries__pk", "prj": "project_id"}
    indexed_ids = ("evt", "dlv", "prj")
    search_help_text = "an id, a type, a consumer, a key"
    list_display = ("what", "for_consumer", "subject", "key", "project", "received")
    list_filter = (SinceFilter, ProjectFilter, ("received_at", PeriodFilter))
    list_filter_options = {name: {"horizontal": True} for name in ("since", "project")}
    actions_row = actions_detail = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        return super().get_queryset(request).select_related("project").defer("data", "extensions")

    def search_text(self, request: HttpRequest, rows: QuerySet[Event], term: str) -> tuple[QuerySet[Event], bool]:
        """By idempotency key while it is remembered; by what has no index of its own, of late."""
        recent = Q(type=term) | Q(consumer=term) | Q(subject=term) | Q(ordering_key=term)
        return rows.filter(Q(pk__in=_keyed(request, term)) | Q(pk__gte=first_id(now() - SEARCH_SPAN)) & recent), False

    @display("event", header=True)
    def what(self, event: Event) -> list[str]:
        return [event.type, mono(event.public_id)]

    @display("for consumer")
    def for_consumer(self, event: Event) -> str:
        return event.consumer or "–"

    @display("idempotency key")
    def key(self, event: Event) -> SafeString | str:
        return mono(event.idempotency_key) if event.idempotency_key else "–"

    @display("received (UTC)")
    def received(self, event: Event) -> SafeString | str:
        return moment(event.received_at)

    def sections(self, request: HttpRequest, event: Event) -> list[Section]:
        found = [
            Section("Event", facts(_event_facts(event))),
            Section("Data", _data(event)),
        ]
        return [*found, Section("Further attributes", facts(event.extensions))] if event.extensions else found


def _data(event: Event) -> SafeString:
    """Erased data is said to be: an empty block would look like an empty event."""
    if event.erased_at is not None:
        return facts({"Erased": moment(event.erased_at)})
    return code_block(pretty_json(bytes(event.data)), "event's data")


def _event_facts(event: Event) -> dict[str, Any]:
    version = event.schema_version
    return {
        "Event": mono(event.public_id),
        "Type": event.type,
        "For consumer": event.consumer or "–",
        "Project": str(event.project),
        "Happened": moment(event.time),
        "Received": moment(event.received_at),
        "Source": event.source or "–",
        "Subject": event.subject or "–",
        "Idempotency key": mono(event.idempotency_key) if event.idempotency_key else "–",
        "Ordering key": event.ordering_key or "–",
        "Validated against": f"version {version}" if version else "no schema",
        "Trace": mono(event.traceparent) if event.traceparent else "–",
    }


def _keyed(request: HttpRequest, term: str) -> list[UUID]:
    """The events that came under this idempotency key in any of the user's projects."""
    return events_keyed(_projects(request), term)


def _projects(request: HttpRequest) -> list[UUID]:
    """Those whose keys are tried."""
    projects = project_ids(request)
    if projects is None:
        every = person(request).projects.model.objects
        projects = list(every.values_list("pk", flat=True)[:MOST_PROJECTS])
    return list(projects)[:MOST_PROJECTS]


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(DataPlaneAdmin[IdempotencyKey]):
    """That a key was used, and by which event. The key itself is only here as a hash."""

    project_path = ""  # it is the event's
    keyset = "created_at"
    ordering = ("-created_at",)
    indexed_ids = ()
    search_help_text = "evt_…, or the key itself"
    list_display = ("hashed", "event", "made")

    def get_queryset(self, request: HttpRequest) -> QuerySet[IdempotencyKey]:
        rows = super().get_queryset(request)
        if project_ids(request) is None:
            return rows
        own = within_projects(Event.objects.filter(pk=OuterRef("event_id")), request, "project_id")
        return rows.filter(Exists(own))

    def search_text(
        self, request: HttpRequest, rows: QuerySet[IdempotencyKey], term: str
    ) -> tuple[QuerySet[IdempotencyKey], bool]:
        try:
            event = within_projects(Event.objects.filter(pk=decode("evt", term)), request, "project_id").first()
        except InvalidId:
            return rows.filter(pk__in=[key_hash(one, ("key", term)) for one in _projects(request)]), False
        return rows.filter(pk__in=hashes_of(event), event_id=event.pk) if event else rows.none(), False

    def along(self, request: HttpRequest, term: str) -> QuerySet[IdempotencyKey] | None:
        return self.get_queryset(request) if term else super().along(request, term)

    @display("hash")
    def hashed(self, key: IdempotencyKey) -> SafeString:
        return mono(str(key.pk))

    @display("event")
    def event(self, key: IdempotencyKey) -> SafeString:
        return id_link("events.event", "evt", key.event_id)

    @display("used (UTC)")
    def made(self, key: IdempotencyKey) -> SafeString | str:
        return moment(key.created_at)

    def sections(self, request: HttpRequest, key: IdempotencyKey) -> list[Section]:
        shown = {"Hash of the key": mono(str(key.pk)), "Event": self.event(key), "Used": moment(key.created_at)}
        return [Section("Idempotency key", facts(shown))]
