"""How much projects have used, in sets, inside the intake's transaction."""

from collections.abc import Collection, Mapping
from datetime import date
from uuid import UUID

from django.db.models import F

from apps.accounts.models import Usage


def usage_locked(project_ids: Collection[UUID], month: date) -> dict[UUID, int]:
    """Events accepted in the month, by project. The rows are locked, in one order, until the transaction's end."""
    found = _locked(project_ids, month)
    missing = [pk for pk in project_ids if pk not in found]
    if missing:
        Usage.objects.bulk_create([Usage(project_id=pk, month=month) for pk in sorted(missing)], ignore_conflicts=True)
        found |= _locked(missing, month)
    return found


def _locked(project_ids: Collection[UUID], month: date) -> dict[UUID, int]:
    rows = Usage.objects.select_for_update().filter(project__in=project_ids, month=month).order_by("project_id")
    return dict(rows.values_list("project_id", "events"))


def usage_add(counts: Mapping[UUID, int], month: date) -> None:
    """To rows that are locked."""
    for project_id, count in counts.items():
        Usage.objects.filter(project=project_id, month=month).update(events=F("events") + count)
