"""The quota of events a month, counted in the transaction that accepts them: exact, whoever dies when.

Only projects that have one cost anything. Their Usage rows are locked late and in one order; who shares no such project
waits for nobody.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from apps.accounts.store import usage_add, usage_locked
from apps.events.store import keys_release
from apps.intake.drafts import Candidate
from apps.intake.full_months import note_full
from apps.intake.policy.months import fitting, month_of
from apps.intake.refusals import month_is_full
from apps.kernel.clock import now
from apps.kernel.errors import Problem


def refused_by_month(new: Sequence[Candidate]) -> dict[UUID, Problem]:
    """Of events about to be inserted, by id those that are beyond their project's month; the others are counted.

    The keys of the refused are let go: sent again next month, they are no duplicates of what never was.
    """
    limited: dict[UUID, list[Candidate]] = defaultdict(list)
    for one in new:
        if one.monthly:
            limited[one.event.project_id].append(one)
    if not limited:
        return {}
    moment = now()
    refused = _counted(limited, month_of(moment), moment)
    keys_release([one.key for one in new if one.key and one.event.id in refused])
    return refused


def _counted(limited: dict[UUID, list[Candidate]], month: date, moment: datetime) -> dict[UUID, Problem]:
    used, counts = usage_locked(limited, month), {}
    refused: dict[UUID, Problem] = {}
    for project_id, candidates in limited.items():
        limits = [one.monthly for one in candidates]
        if used[project_id] >= max(limits):  # as committed: what is counted here may yet be undone
            note_full(project_id, month, max(limits))
        for one, fits in zip(candidates, fitting(limits, used[project_id]), strict=True):
            if not fits:
                refused[one.event.id] = month_is_full(one.monthly, moment)
        if accepted := sum(one.event.id not in refused for one in candidates):
            counts[project_id] = accepted
    usage_add(counts, month)
    return refused
