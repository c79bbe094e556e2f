"""An API key with what the intake needs of its project: plain, so that it can be kept in memory and in Redis."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from apps.accounts.models import ApiKey, Project
from apps.accounts.principal import Principal
from apps.accounts.quotas import LARGEST_QUOTAS
from apps.audit.services import Actor
from apps.kernel import ids


class KeyRecord(msgspec.Struct, frozen=True):
    """The fields in the order of COLUMNS."""

    prefix: str
    id: UUID
    name: str
    digest: str
    scopes: list[str]
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    project_id: UUID
    project_name: str
    require_registered_types: bool
    catalog_version: int
    quota_events_per_second: int | None = None
    quota_events_per_month: int | None = None
    quota_destinations: int | None = None
    quota_payload_bytes: int | None = None
    quota_backlog: int | None = None

    def live(self, moment: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > moment)


QUOTAS = tuple(LARGEST_QUOTAS)
OF_PROJECT = ("id", "name", "require_registered_types", "catalog_version", *QUOTAS)
# As `from_db` wants them: in the order of the columns, whatever it is given.
IN_ROW = tuple(field.attname for field in Project._meta.concrete_fields if field.attname in OF_PROJECT)
OF_KEY = ("prefix", "id", "name", "digest", "scopes", "expires_at", "revoked_at", "last_used_at")
COLUMNS = (*OF_KEY, *(f"project__{name}" for name in OF_PROJECT))


def records_by_prefix(prefixes: Iterable[str]) -> dict[str, KeyRecord]:
    """Those there are, live or not. One query."""
    rows = ApiKey.objects.filter(prefix__in=list(prefixes)).values_list(*COLUMNS)
    return {row[0]: KeyRecord(*row) for row in rows}


def principal_from(record: KeyRecord) -> Principal:
    """The project has only its OF_PROJECT loaded; Django would fetch the rest when asked for."""
    named = {"id": record.project_id, "name": record.project_name}
    values = [named[name] if name in named else getattr(record, name) for name in IN_ROW]
    actor = Actor(kind="api_key", id=ids.encode("key", record.id), label=record.name)
    project = Project.from_db("default", IN_ROW, values)
    return Principal(project, actor, frozenset(record.scopes), expires_at=record.expires_at)
