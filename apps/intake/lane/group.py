"""Group commit: the requests that wait at the same moment share one transaction, and are answered after it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.db import DataError, IntegrityError

from apps.intake.commits import Result, commit
from apps.intake.drafts import Candidate
from apps.kernel.database import DatabaseThread

MOST_EVENTS, MOST_BYTES = 1_000, 8_000_000  # of one commit; a request is never split

type Commit = Callable[[Sequence[Candidate]], list[Result]]


@dataclass(slots=True)
class Waiting:
    """One request's candidates, and the future its answer waits for."""

    candidates: Sequence[Candidate]
    answered: asyncio.Future[list[Result]] = field(default_factory=asyncio.Future)


class GroupCommit:
    """One commit after another, each of all that has come since the one before it began.

    The queue is bounded by the admission: what waits here is a request under way.
    """

    def __init__(self, database: DatabaseThread, commit: Commit = commit) -> None:
        self._database, self._commit = database, commit
        self._waiting: list[Waiting] = []
        self._wake = asyncio.Event()

    async def put(self, candidates: Sequence[Candidate]) -> list[Result]:
        """Returns when they are committed, with the answer for each; raises what the database raises."""
        if not candidates:
            return []
        one = Waiting(candidates)
        self._waiting.append(one)
        self._wake.set()
        return await one.answered

    async def run(self) -> None:
        """Until cancelled; a commit that has begun is then still answered."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._commit_all(self._next_set())

    def _next_set(self) -> list[Waiting]:
        events = size = count = 0
        for one in self._waiting:
            events += len(one.candidates)
            size += sum(len(candidate.event.data) for candidate in one.candidates)
            if count and (events > MOST_EVENTS or size > MOST_BYTES):
                break
            count += 1
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    async def _commit_all(self, requests: list[Waiting]) -> None:
        """Where the database refuses the set for what is in it, halving finds the request that is to blame."""
        candidates = [candidate for one in requests for candidate in one.candidates]
        try:
            results = await self._database.run(self._commit, candidates)
        except (DataError, IntegrityError) as error:
            if len(requests) == 1:
                return _fail(requests, error)
            half = len(requests) // 2
            await self._commit_all(requests[:half])
            await self._commit_all(requests[half:])
        except Exception as error:
            _fail(requests, error)
        else:
            _answer(requests, results)


def _answer(requests: Sequence[Waiting], results: Sequence[Result]) -> None:
    start = 0
    for one in requests:
        end = start + len(one.candidates)
        if not one.answered.done():  # a client that hung up is no reason to stop
            one.answered.set_result(list(results[start:end]))
        start = end


def _fail(requests: Sequence[Waiting], error: Exception) -> None:
    for one in requests:
        if not one.answered.done():
            one.answered.set_exception(error)
