"""Writing the audit trail, in the transaction of the write it tells of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from structlog.contextvars import get_contextvars

from apps.audit.models import AuditEntry


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person, an API key, a command on the server, or Trunkline itself."""

    kind: str  # user, api_key, command, system
    id: str = ""
    label: str = ""


SYSTEM = Actor(kind="system", label="Trunkline")


def audit_record(
    *,
    actor: Actor,
    action: str,
    target: str,
    project_id: UUID | None = None,
    changes: Mapping[str, Any] | None = None,
) -> None:
    """Append one entry; call it inside the transaction of the change. Never pass a secret in `changes`."""
    AuditEntry.objects.create(
        project_id=project_id,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_label=actor.label[:255],
        action=action,
        target=target,
        changes=dict(changes or {}),
        request_id=str(get_contextvars().get("request_id", ""))[:128],
    )
