"""The one function behind all doors: submissions in, committed events and deliveries out."""

from collections.abc import Iterable, Sequence
from typing import cast

from apps.accounts.models import Project
from apps.accounts.quotas import quotas_of
from apps.intake import telemetry
from apps.intake.catalog import catalog_of
from apps.intake.commits import Accepted, Result, commit
from apps.intake.drafts import Candidate, Draft, draft
from apps.intake.gate import admit
from apps.intake.submission import Submission
from apps.kernel.errors import Fault, Invalid, Problem, TooMany

__all__ = ["Accepted", "Result", "answers", "events_accept", "faults_of", "refuse_all_if_any"]


def events_accept(
    *, project: Project, submissions: Sequence[Submission | Problem], atomic: bool = False, base: str = "/events"
) -> list[Result]:
    """Commit what is valid, in one transaction, and answer for each submission in its place.

    With `atomic`, one that is refused refuses all: raises Invalid with every fault. Raises TooMany where the project's
    quotas let none of them in. When this returns, what it says
    is accepted is committed. `base`: where in the body the events stand, for the pointers.
    """
    admit(project, len(submissions))
    catalog, quotas = catalog_of(project), quotas_of(project)
    drafts = [draft(project, quotas, catalog, submission) for submission in submissions]
    try:
        results = _committed(drafts, base if atomic else None)
    except (Invalid, TooMany) as refusal:  # of the batch as a whole
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
    """Raises Invalid with every fault of every Problem among the results; TooMany where all that is wrong is that."""
    problems = {index: result for index, result in enumerate(results) if isinstance(result, Problem)}
    if not problems:
        return
    refuse_if_too_many(list(problems.values()))
    faults = [fault for index, problem in problems.items() for fault in faults_of(problem, f"{base}/{index}")]
    detail = f"{len(problems)} of {len(results)} events were refused, so none was accepted"
    raise Invalid(detail, code="batch_refused", faults=faults)


def refuse_if_too_many(results: Sequence[object]) -> None:
    """Raises TooMany where it is the answer to each: the same may be sent again later."""
    if results and all(isinstance(result, TooMany) for result in results):
        raise cast("TooMany", results[0])


def faults_of(problem: Problem, place: str) -> list[Fault]:
    """A problem's faults with pointers into the batch; one for the event as a whole where it has none."""
    faults = problem.faults or (Fault("", problem.detail, problem.code),)
    return [fault if fault.pointer.startswith(place) else fault.under(place) for fault in faults]
