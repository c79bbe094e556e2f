"""Reads of events and event types."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import F, Func, IntegerField, Max, OuterRef, Prefetch, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Length

from apps.accounts.models import Project
from apps.events.models import Event, EventType, IdempotencyKey, SchemaVersion
from apps.events.store import key_hash
from apps.kernel.remembered import WeighedCache
from apps.kernel.walks import led_by

MOST_TEXTS, MOST_TEXT_BYTES = 2_000, 32_000_000  # of schemas remembered, in each process


@dataclass(frozen=True, slots=True)
class RegisteredType:
    """An event type as the intake needs it. Versions go from 1 to the newest: they are added, never taken away."""

    id: UUID
    newest: int  # 0: has no schema


def event_types(project: Project) -> QuerySet[EventType]:
    """Each with its newest schema only, in one query more however many they are."""
    newest = SchemaVersion.objects.filter(event_type=OuterRef("event_type")).order_by("-version")
    versions = SchemaVersion.objects.filter(version=Subquery(newest.values("version")[:1]))
    return EventType.objects.filter(project=project).prefetch_related(
        Prefetch("versions", versions, to_attr="newest_schemas")
    )


def newest_schema(event_type: EventType) -> SchemaVersion | None:
    """Without a query for those that `event_types` read."""
    read: list[SchemaVersion] | None = getattr(event_type, "newest_schemas", None)
    if read is None:
        return newest_schema_now(event_type.pk)
    return read[0] if read else None


def newest_schema_now(event_type_id: UUID) -> SchemaVersion | None:
    return SchemaVersion.objects.filter(event_type=event_type_id).order_by("-version").first()


def events(project: Project) -> QuerySet[Event]:
    return led_by(Event.objects.all(), "project_id", project.pk)


def events_keyed(project_ids: Iterable[UUID], key: str) -> list[UUID]:
    """The events that came under this idempotency key in these projects, while the key is remembered."""
    hashes = [key_hash(project_id, ("key", key)) for project_id in project_ids]
    return list(IdempotencyKey.objects.filter(pk__in=hashes).values_list("event_id", flat=True))


def registered_types(project_id: UUID) -> dict[str, RegisteredType]:
    """By name, without reading any schema."""
    types = EventType.objects.filter(project_id=project_id).annotate(newest=Coalesce(Max("versions__version"), 0))
    return {name: RegisteredType(pk, newest) for name, pk, newest in types.values_list("name", "pk", "newest")}


# A version's text never changes, and a type that is made again has another id: nothing here can be out of date.
_texts: WeighedCache[tuple[UUID, int], str] = WeighedCache(most=MOST_TEXTS, weight=MOST_TEXT_BYTES)


def schema_text(event_type_id: UUID, version: int) -> str | None:
    """A schema's JSON text, None where it was deleted. Remembered: one query the first time it is wanted."""
    text = _texts.get((event_type_id, version))
    if text is None:
        found = SchemaVersion.objects.filter(event_type=event_type_id, version=version)
        text = found.values_list("schema", flat=True).first()
        if text is not None:
            _texts.put((event_type_id, version), text, sys.getsizeof(text))
    return text


class _Bytes(Func):
    """How many bytes a text has, in UTF-8."""

    function = "OCTET_LENGTH"
    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="LENGTH(CAST(%(expressions)s AS BLOB))", **context)


def schema_bytes(project_id: UUID) -> int:
    """How many bytes all schemas of the project have together."""
    versions = SchemaVersion.objects.filter(event_type__project_id=project_id)
    found: int | None = versions.aggregate(total=Sum(_Bytes(F("schema"))))["total"]
    return int(found or 0)


def with_newest_version(types: QuerySet[EventType]) -> QuerySet[EventType]:
    """For lists: each type with `newest`, without reading any schema."""
    newest = SchemaVersion.objects.filter(event_type=OuterRef("pk")).order_by("-version")
    return types.annotate(newest=Subquery(newest.values("version")[:1]))


def only_for(rows: QuerySet[Event], consumer: str) -> QuerySet[Event]:
    """Of those that the database finds equal, the ones that are: to MariaDB's `utf8mb4_bin` `acme ` is `acme`."""
    return rows.alias(length=Length("consumer")).filter(length=len(consumer))
