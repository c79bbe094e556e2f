"""The one function behind all doors: submissions in, committed events and deliveries out."""

from collections.abc import Iterable, Sequence

from apps.accounts.models import Project
from apps.intake import telemetry
from apps.intake.catalog import catalog_of
from apps.intake.commits import Accepted, Result, commit
from apps.intake.drafts import Candidate, Draft, draft
from apps.intake.submission import Submission
from apps.kernel.errors import Fault, Invalid, Problem

__all__ = ["Accepted", "Result", "answers", "events_accept", "faults_of", "refuse_all_if_any"]


def events_accept(
    *, project: Project, submissions: Sequence[Submission | Problem], atomic: bool = False, base: str = "/events"
) -> list[Result]:
    """Commit what is valid, in one transaction, and answer for each submission in its place.

    With `atomic`, one that is refused refuses all: raises Invalid with every fault. When this returns, what it says
    is accepted is committed. `base`: where in the body the events stand, for the pointers.
    """
    catalog = catalog_of(project)
    drafts = [draft(project, catalog, submission) for submission in submissions]
    try:
        results = _committed(drafts, base if atomic else None)
    except Invalid as refusal:  # of the batch as a whole
        telemetry.tell(project, drafts, [refusal] * len(drafts))
        raise
    telemetry.tell(project, drafts, results)
    return results


def _committed(drafts: Sequence[Draft], all_or_none: str | None) -> list[Result]:
    candidates = [one for one in drafts if isinstance(one, Candidate)]
    if all_or_none is None:
        return answers(drafts, commit(candidates))
    refuse_all_if_any(drafts, all_or_none)
    return answers(drafts, commit(candidates, approve=lambda results: refuse_all_if_any(results, all_or_none)))


def answers(drafts: Iterable[Draft], committed: Iterable[Result]) -> list[Result]:
    """An answer for each draft: its own Problem, or what the commit made of it."""
    results = iter(committed)
    return [one if isinstance(one, Problem) else next(results) for one in drafts]


def refuse_all_if_any(results: Sequence[object], base: str) -> None:
    """Raises Invalid with every fault of every Problem among the results."""
    problems = {index: result for index, result in enumerate(results) if isinstance(result, Problem)}
    if not problems:
        return
    faults = [fault for index, problem in problems.items() for fault in faults_of(problem, f"{base}/{index}")]
    detail = f"{len(problems)} of {len(results)} events were refused, so none was accepted"
    raise Invalid(detail, code="batch_refused", faults=faults)


def faults_of(problem: Problem, place: str) -> list[Fault]:
    """A problem's faults with pointers into the batch; one for the event as a whole where it has none."""
    faults = problem.faults or (Fault("", problem.detail, problem.code),)
    return [fault if fault.pointer.startswith(place) else fault.under(place) for fault in faults]
