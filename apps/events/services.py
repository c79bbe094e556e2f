"""Writes of event types. Events themselves are written by the intake."""

import json
from typing import Any

from django.db import transaction

from apps.accounts.models import Project
from apps.accounts.services import project_touch
from apps.audit.services import Actor, audit_record
from apps.events import schemas
from apps.events.models import EventType, SchemaVersion
from apps.events.selectors import newest_schema_now, schema_bytes
from apps.kernel.errors import Conflict, Fault

type Schema = dict[str, Any] | bool

MOST_TYPES = 2_000  # of a project
MOST_VERSIONS = 100  # of a type
MOST_SCHEMA_BYTES = 64_000_000  # of a project, all versions of all types


def event_type_create(
    *,
    project: Project,
    name: str,
    actor: Actor,
    description: str = "",
    schema: Schema | None = None,
    deprecated: bool = False,
) -> EventType:
    """Register a type, with a first schema where one is given."""
    _check(schema)
    with transaction.atomic():
        project_touch(project)
        _refuse_taken_name(project, name)
        _refuse_too_many_types(project)
        event_type = EventType.objects.create(
            project=project, name=name, description=description, deprecated=deprecated
        )
        if schema is not None:
            _add_version(event_type, schema)
        _audit(event_type, "event_type.created", actor, {"name": name, "schema": schema is not None})
    return event_type


def event_type_change(
    *,
    event_type: EventType,
    actor: Actor,
    description: str | None = None,
    deprecated: bool | None = None,
    schema: Schema | None = None,
) -> EventType:
    """Change what is given; a schema that differs from the newest becomes the next version."""
    _check(schema)
    with transaction.atomic():
        project_touch(event_type.project)
        if description is not None:
            event_type.description = description
        if deprecated is not None:
            event_type.deprecated = deprecated
        event_type.save(update_fields=["description", "deprecated"])
        added = schema is not None and _add_version(event_type, schema)
        changes = {"description": description, "deprecated": deprecated, "new_version": added or None}
        _audit(event_type, "event_type.changed", actor, {k: v for k, v in changes.items() if v is not None})
    return event_type


@transaction.atomic
def event_type_delete(*, event_type: EventType, actor: Actor) -> None:
    """From now on the name is an unregistered one; events of the past keep it."""
    project_touch(event_type.project)
    _audit(event_type, "event_type.deleted", actor, {"name": event_type.name})
    event_type.delete()


def event_type_ensure(
    *, project: Project, name: str, actor: Actor, description: str, schema: Schema
) -> tuple[EventType, str]:
    """For imports: `created`, `changed` or `unchanged`, so that importing twice is importing once."""
    event_type = EventType.objects.filter(project=project, name=name).first()
    if event_type is None:
        made = event_type_create(project=project, name=name, actor=actor, description=description, schema=schema)
        return made, "created"
    newest = newest_schema_now(event_type.pk)
    if newest and newest.schema == _text(schema) and event_type.description == description:
        return event_type, "unchanged"
    changed = event_type_change(event_type=event_type, actor=actor, description=description, schema=schema)
    return changed, "changed"


def _check(schema: Schema | None) -> None:
    """Before the transaction: it may take a third of a second, and nobody should wait for a lock meanwhile."""
    if schema is not None:
        schemas.check_schema(schema)


def _refuse_taken_name(project: Project, name: str) -> None:
    if EventType.objects.filter(project=project, name=name).exists():
        fault = Fault("/name", "is registered already", "already_exists")
        raise Conflict(f"the event type {name} is registered already", code="already_exists", faults=[fault])


def _refuse_too_many_types(project: Project) -> None:
    if EventType.objects.filter(project=project).count() >= MOST_TYPES:
        detail = f"the project has {MOST_TYPES} event types, the most there can be; delete those not in use"
        raise Conflict(detail, code="too_many_event_types")


def _add_version(event_type: EventType, schema: Schema) -> int:
    """The new version's number, or 0 when the schema is the newest already. Holds the project's lock."""
    text = _text(schema)
    newest = newest_schema_now(event_type.pk)
    if newest and newest.schema == text:
        return 0
    version = newest.version + 1 if newest else 1
    _refuse_too_much(event_type, version, len(text.encode()))
    SchemaVersion.objects.create(event_type=event_type, version=version, schema=text)
    return version


def _refuse_too_much(event_type: EventType, version: int, size: int) -> None:
    if version > MOST_VERSIONS:
        detail = f"{event_type.name} has {MOST_VERSIONS} schema versions, the most there can be; register another name"
        raise Conflict(detail, code="too_many_versions")
    if schema_bytes(event_type.project_id) + size > MOST_SCHEMA_BYTES:
        detail = f"the project's schemas would have more than {MOST_SCHEMA_BYTES:,} bytes, old versions included"
        raise Conflict(f"{detail}; delete event types not in use", code="too_much_schema")


def _text(schema: Schema) -> str:
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":"))


def _audit(event_type: EventType, action: str, actor: Actor, changes: dict[str, Any]) -> None:
    audit_record(
        actor=actor,
        action=action,
        target=event_type.public_id,
        project_id=event_type.project_id,
        changes=changes,
    )
