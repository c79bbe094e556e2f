"""What a project may use: its own numbers, and the installation's where it has none."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings

from apps.accounts.models import Project
from apps.kernel.errors import Problem

CODE = "quota_exceeded"
# The most that can be asked for, by column, in the order of the fields of Quotas.
LARGEST_QUOTAS = {
    "quota_events_per_second": 10**6,
    "quota_events_per_month": 10**12,
    "quota_destinations": 10**6,
    "quota_payload_bytes": 5_000_000,
    "quota_backlog": 10**9,
}


@dataclass(frozen=True, slots=True)
class Quotas:
    """Limits in force; 0 is none."""

    events_per_second: int = 0
    events_per_month: int = 0
    destinations: int = 0
    payload_bytes: int = 0
    backlog: int = 0

    def as_dict(self) -> dict[str, int | None]:
        """None where there is no limit."""
        return {name: value or None for name, value in asdict(self).items()}


def quotas_of(project: Project) -> Quotas:
    """Empty columns take the installation's; 0 is no limit, whatever the installation says."""
    usual: Mapping[str, int] = settings.QUOTAS
    return Quotas(*[_chosen(getattr(project, name), usual[name]) for name in LARGEST_QUOTAS])


def _chosen(own: int | None, usual: int) -> int:
    return usual if own is None else own


def over_quota[P: Problem](
    kind: type[P], quota: str, limit: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
) -> P:
    """The Problem that says which quota is used up; `more` goes into its constructor."""
    return kind(detail, code=CODE, headers=headers, details={"quota": quota, "limit": limit}, **more)
