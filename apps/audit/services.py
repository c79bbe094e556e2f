"""Writing the audit trail, in the transaction of the write it tells of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.db.models import Q
from structlog.contextvars import get_contextvars

from apps.audit.models import AuditEntry


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person, an API key, a command on the server, or Trunkline itself."""

    kind: str  # user, api_key, command, system
    id: str = ""
    label: str = ""


ERASED = {"erased": True}  # in place of changes that named a person
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


def audit_blank(*, project_id: UUID, targets: Iterable[str], words: Mapping[str, str]) -> int:
    """Take out what entries say of a person: who did what to which id, and when, stays. Returns how many it were.

    Of all entries about `targets`, and of the project's whose `changes` have one of `words` under its name.
    """
    own = AuditEntry.objects.filter(project_id=project_id)
    about = Q(target__in=list(targets))
    for name, word in words.items():
        about |= Q(**{f"changes__{name}": word})
    return own.filter(about).exclude(changes={}).update(changes=ERASED)


def admin_log_blank(ids: Iterable[UUID]) -> int:
    """The same for what Django's admin wrote down of rows by their names."""
    told = LogEntry.objects.filter(object_id__in=[str(pk) for pk in ids])
    return told.update(object_repr="", change_message="")
