"""What a request must pass before its events are looked at: its project's backlog, and its events a second.

All or nothing: a batch is refused whole, and has then used up nothing.
"""

from collections.abc import Awaitable, Callable

import structlog

from apps.accounts.models import Project
from apps.accounts.quotas import Quotas, quotas_of
from apps.intake.backlogs import backlogs
from apps.intake.rates import rates
from apps.intake.refusals import REFUSED, too_fast, too_much_waits
from apps.intake.telemetry import EVENTS
from apps.kernel.errors import Problem

log = structlog.get_logger("trunkline.intake")

type InThread = Callable[..., Awaitable[float]]


def admit(project: Project, count: int) -> None:
    """Let so many events in, or raise TooMany. May block."""
    quotas = quotas_of(project)
    if quotas.backlog:
        backlogs.waits(project.pk, quotas.backlog)  # makes it known
        backlogs.refresh_one(project.pk)
        _refuse_backlog(project, quotas, count)
    if rate := quotas.events_per_second:
        _refuse_rate(project, rate, count, rates.take(project.pk, count, rate))


async def admit_soon(project: Project, count: int, in_thread: InThread) -> None:
    """The same in an event loop, where backlogs are read in the background."""
    quotas = quotas_of(project)
    if quotas.backlog:
        _refuse_backlog(project, quotas, count)
    if rate := quotas.events_per_second:
        wait = rates.waits(project.pk, count, rate)
        if not wait:
            asked = (project.pk, count, rate)
            wait = await in_thread(rates.take, *asked) if rates.blocks else rates.take(*asked)
        _refuse_rate(project, rate, count, wait)


def _refuse_backlog(project: Project, quotas: Quotas, count: int) -> None:
    if wait := backlogs.waits(project.pk, quotas.backlog):
        raise _told(project, count, too_much_waits(quotas.backlog, wait))


def _refuse_rate(project: Project, rate: int, count: int, wait: float) -> None:
    if wait:
        raise _told(project, count, too_fast(rate, wait))


def _told(project: Project, count: int, problem: Problem) -> Problem:
    """One line a request, not an event: who hammers must not fill the log."""
    quota = problem.details["quota"]
    REFUSED.labels(quota).inc(count)
    EVENTS.labels("rejected").inc(count)
    log.info("quota.exceeded", project_id=project.public_id, quota=quota, events=count)
    return problem
