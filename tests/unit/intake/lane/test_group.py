"""Group commit: who waits shares, and one that is refused spoils nothing for the others."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import pytest
from django.db import DataError, OperationalError

from apps.events.store import EventRow
from apps.intake.commits import Accepted, Result
from apps.intake.drafts import Candidate
from apps.intake.lane import group
from apps.intake.lane.group import GroupCommit
from apps.kernel.clock import now


class Database:
    """Runs the work at once, and lets the others in meanwhile."""

    async def run(self, work: Callable[..., Any], *args: Any) -> Any:
        await asyncio.sleep(0.001)
        return work(*args)


class Commits:
    def __init__(self) -> None:
        self.sets: list[int] = []

    def __call__(self, candidates: Sequence[Candidate]) -> list[Result]:
        self.sets.append(len(candidates))
        if any(one.event.data == b"bad" for one in candidates):
            raise DataError("no database takes this")
        if any(one.event.data == b"away" for one in candidates):
            raise OperationalError("away")
        return [Accepted(one.event.id) for one in candidates]


def candidate(number: int, data: bytes = b"1") -> Candidate:
    return Candidate(EventRow(UUID(int=number), UUID(int=0), "a", now(), data, now()), [], None)


async def played(commits: Commits, *requests: list[Candidate]) -> list[Any]:
    waiting = GroupCommit(Database(), commits)  # type: ignore[arg-type]
    running = asyncio.create_task(waiting.run())
    try:
        return await asyncio.gather(*map(waiting.put, requests), return_exceptions=True)
    finally:
        running.cancel()


def test_who_waits_shares_and_gets_its_own_answer() -> None:
    commits = Commits()
    requests = [[candidate(number), candidate(100 + number)] for number in range(50)]
    found = asyncio.run(played(commits, *requests))
    assert [[one.event_id for one in results] for results in found] == [
        [one.event.id for one in request] for request in requests
    ]
    assert commits.sets == [100]


def test_a_request_is_never_split_and_a_set_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "MOST_EVENTS", 10)
    commits = Commits()
    requests = [[candidate(10 * number + one) for one in range(4)] for number in range(5)]
    asyncio.run(played(commits, *requests, [candidate(900 + one) for one in range(25)]))
    assert commits.sets == [8, 8, 4, 25]


def test_bytes_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "MOST_BYTES", 100)
    commits = Commits()
    asyncio.run(played(commits, *[[candidate(number, b"x" * 60)] for number in range(4)]))
    assert commits.sets == [1, 1, 1, 1]


def test_one_the_database_refuses_is_found_and_the_others_are_accepted() -> None:
    commits = Commits()
    requests = [[candidate(number, b"bad" if number == 5 else b"1")] for number in range(12)]
    found = asyncio.run(played(commits, *requests))
    assert [number for number, one in enumerate(found) if isinstance(one, DataError)] == [5]
    assert sum(isinstance(one, list) for one in found) == 11


def test_a_database_that_is_away_is_told_to_all() -> None:
    commits = Commits()
    found = asyncio.run(played(commits, *[[candidate(number, b"away")] for number in range(12)]))
    assert all(isinstance(one, OperationalError) for one in found)
    assert commits.sets == [12], "and nobody tries it twelve times"


def test_nothing_to_commit_asks_nobody() -> None:
    commits = Commits()
    assert asyncio.run(played(commits, [])) == [[]]
    assert commits.sets == []


def test_a_client_that_hung_up_stops_nobody() -> None:
    async def main() -> list[Result]:
        waiting = GroupCommit(Database(), Commits())  # type: ignore[arg-type]
        running = asyncio.create_task(waiting.run())
        gone = asyncio.create_task(waiting.put([candidate(1)]))
        there = asyncio.create_task(waiting.put([candidate(2)]))
        await asyncio.sleep(0)
        gone.cancel()
        results = await there
        running.cancel()
        return results

    assert asyncio.run(main()) == [Accepted(UUID(int=2))]
