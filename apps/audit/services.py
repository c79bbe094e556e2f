"""Writing the audit trail, in the transaction of the write it tells of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.db.models import Q, QuerySet
from structlog.contextvars import get_contextvars

from apps.audit.models import AuditEntry
from apps.kernel.clock import now


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person, an API key, a command on the server, or Trunkline itself."""

    kind: str  # user, api_key, command, system
    id: str = ""
    label: str = ""


ERASED = {"erased": True}  # in place of changes that named a person
LATEST = timedelta(minutes=1)  # longer than transactions take that write entries
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


def audit_blank(*, project_id: UUID, targets: Iterable[str]) -> int:
    """Take out what entries about `targets` say of a person: who did what to which id, and when, stays.

    Returns how many it were.
    """
    about = AuditEntry.objects.filter(project_id=project_id, target__in=list(targets))
    return about.exclude(changes={}).update(changes=ERASED)


def audit_blank_words(*, project_id: UUID, words: Mapping[str, str], after: UUID | None, limit: int) -> UUID | None:
    """The same of the project's entries whose `changes` have one of `words` under its name, wherever they are.

    Of `limit` entries `after` one, oldest first: returns the last of them, or None when it has done all that are left.
    The newest are left to the end, and all looked at then: of these one may come late that was written earlier.
    """
    rest = _after(project_id, after).only("pk", "changes")
    page = list(rest.filter(at__lt=now() - LATEST)[:limit])
    is_full = len(page) == limit
    naming = [row.pk for row in (page if is_full else rest) if _names(row.changes, words)]
    AuditEntry.objects.filter(pk__in=naming).update(changes=ERASED)
    return page[-1].pk if is_full else None


def _names(changes: Mapping[str, Any], words: Mapping[str, str]) -> bool:
    return any(changes.get(name) == word for name, word in words.items())


def _after(project_id: UUID, pk: UUID | None) -> QuerySet[AuditEntry]:
    """Backwards along the index by project, at whose end MariaDB has the ids."""
    rows = AuditEntry.objects.filter(project_id=project_id).order_by("at", "-pk")
    if pk and (at := AuditEntry.objects.filter(pk=pk).values_list("at", flat=True).first()):
        rows = rows.filter(Q(at__gt=at) | Q(pk__lt=pk), at__gte=at)
    return rows


def admin_log_blank(ids: Iterable[UUID]) -> int:
    """The same for what Django's admin wrote down of rows by their names."""
    told = LogEntry.objects.filter(object_id__in=[str(pk) for pk in ids])
    return told.update(object_repr="", change_message="")
