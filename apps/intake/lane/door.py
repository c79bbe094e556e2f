"""Bytes in, an answer's body out: what doors.py does for the REST door, with the commit shared."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Self

from django.core.exceptions import SynchronousOnlyOperation
from structlog.contextvars import bound_contextvars

from apps.accounts.models import Project
from apps.accounts.quotas import quotas_of
from apps.intake import doors, telemetry
from apps.intake.backlogs import backlogs
from apps.intake.catalog import catalog_known, catalog_of
from apps.intake.commits import Result
from apps.intake.drafts import Candidate, Draft, draft
from apps.intake.gate import admit_soon
from apps.intake.lane.background import background
from apps.intake.lane.group import GroupCommit
from apps.intake.lane.request import Request
from apps.intake.services import answers, events_accept
from apps.intake.submission import Submission
from apps.kernel.database import DatabaseThread
from apps.kernel.errors import Problem

TELL = 0.02  # seconds that lines are gathered for one record
LOOK = 0.1  # seconds between two looks at which backlogs are to be read
LARGE = 256_000  # bytes of a body that is read in a thread, so that the others need not wait for it

type Submitted = Sequence[Submission | Problem]


class Door:
    """Holds the group commit and the telemetry that goes with it; to be entered in the event loop."""

    def __init__(self) -> None:
        self._told: list[tuple[str, telemetry.Line]] = []

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._reads = await stack.enter_async_context(DatabaseThread("reads"))
            self._quotas = await stack.enter_async_context(DatabaseThread("quotas"))
            counts = await stack.enter_async_context(DatabaseThread("backlogs"))
            commits = await stack.enter_async_context(DatabaseThread("commits"))
            self._group = GroupCommit(commits)
            stack.callback(background(self._group.run()).cancel)
            stack.callback(background(_read_backlogs(counts)).cancel)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()
        self._tell()

    async def event(self, project: Project, request: Request, body: bytes) -> doors.Answer:
        """POST /events; raises the Problem that refuses it."""
        content_type, headers = request.headers.get("content-type", ""), request.headers
        submitted = await self._read(body, lambda: [doors.read_event(content_type, headers, body)])
        [result] = await self._accept(project, request, submitted)
        return doors.event_answer(result)

    async def batch(self, project: Project, request: Request, body: bytes, *, atomic: bool) -> doors.Answer:
        """POST /events/batch; raises a Problem only where the batch as a whole is refused."""
        content_type, headers = request.headers.get("content-type", ""), request.headers
        base = doors.batch_base(content_type)
        submitted = await self._read(body, lambda: doors.read_batch(content_type, headers, body))
        if atomic:
            results = await self._reads.run(_all_or_none, project, request, submitted, base)
        else:
            results = await self._accept(project, request, submitted)
        return doors.batch_answer(results, base)

    async def _read(self, body: bytes, read: Callable[[], Submitted]) -> Submitted:
        return read() if len(body) < LARGE else await self._reads.run(read)

    async def _accept(self, project: Project, request: Request, submitted: Submitted) -> list[Result]:
        await admit_soon(project, len(submitted), self._quotas.run)
        drafts = await self._drafts(project, submitted)
        candidates = [one for one in drafts if isinstance(one, Candidate)]
        results = answers(drafts, await self._group.put(candidates))
        self._tell_soon(telemetry.lines_of(project, drafts, results, request_id=request.id))
        return results

    async def _drafts(self, project: Project, submitted: Submitted) -> list[Draft]:
        """In the loop where all that is needed is in memory and soon done, else in a thread."""
        catalog, quotas = catalog_known(project), quotas_of(project)
        if catalog is not None and not (catalog.is_filtered and _is_much(submitted)):
            try:
                return [draft(project, quotas, catalog, one) for one in submitted]
            except SynchronousOnlyOperation:  # a schema that is not in memory: Django lets no query run in the loop
                pass
        return await self._reads.run(lambda: [draft(project, quotas, catalog_of(project), one) for one in submitted])

    # One record for all that were answered within a moment

    def _tell_soon(self, lines: list[tuple[str, telemetry.Line]]) -> None:
        if not self._told:
            asyncio.get_running_loop().call_later(TELL, self._tell)
        self._told += lines

    def _tell(self) -> None:
        told, self._told = self._told, []
        telemetry.tell_all(told)


async def _read_backlogs(thread: DatabaseThread) -> None:
    while True:
        await asyncio.sleep(LOOK)
        if backlogs.any_due():
            await thread.attempted(backlogs.refresh)


def _is_much(submitted: Submitted) -> bool:
    """So much that to look into the data of each would make the others wait."""
    return sum(len(one.data) + 2_000 for one in submitted if isinstance(one, Submission)) >= LARGE // 4


def _all_or_none(project: Project, request: Request, submitted: Submitted, base: str) -> list[Result]:
    """A transaction of its own: what another request brings must not undo it."""
    with bound_contextvars(request_id=request.id):
        return events_accept(project=project, submissions=submitted, atomic=True, base=base)
