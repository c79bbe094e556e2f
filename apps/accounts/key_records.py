"""An API key with what the intake needs of its project: plain, so that it can be kept in memory and in Redis."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from apps.accounts.models import ApiKey, Project
from apps.accounts.principal import Principal
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

    def live(self, moment: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > moment)


OF_PROJECT = ("id", "name", "require_registered_types", "catalog_version")
OF_KEY = ("prefix", "id", "name", "digest", "scopes", "expires_at", "revoked_at", "last_used_at")
COLUMNS = (*OF_KEY, *(f"project__{name}" for name in OF_PROJECT))


def records_by_prefix(prefixes: Iterable[str]) -> dict[str, KeyRecord]:
    """Those there are, live or not. One query."""
    rows = ApiKey.objects.filter(prefix__in=list(prefixes)).values_list(*COLUMNS)
    return {row[0]: KeyRecord(*row) for row in rows}


def principal_from(record: KeyRecord) -> Principal:
    """The project has only its OF_PROJECT loaded; Django would fetch the rest when asked for."""
    values = (record.project_id, record.project_name, record.require_registered_types, record.catalog_version)
    actor = Actor(kind="api_key", id=ids.encode("key", record.id), label=record.name)
    project = Project.from_db("default", OF_PROJECT, values)
    return Principal(project, actor, frozenset(record.scopes), expires_at=record.expires_at)
