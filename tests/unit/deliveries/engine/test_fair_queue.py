"""Who is served next where places are few: projects share them, whatever each brings."""

import asyncio
from uuid import UUID

import pytest

from apps.deliveries.engine import fair_queue
from apps.deliveries.engine.fair_queue import FairQueue, Full

A, B, C = UUID(int=1), UUID(int=2), UUID(int=3)


class Room:
    """A queue, and whom it let in, in order."""

    def __init__(self, places: int = 1) -> None:
        self.queue = FairQueue(places)
        self.served: list[str] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, project: UUID, *names: str) -> None:
        """A name begins with its destination's."""
        for name in names:
            self._tasks[name] = asyncio.create_task(self._wait(project, name))
        await _settled()

    async def _wait(self, project: UUID, name: str) -> None:
        await self.queue.take(project, name[0])
        self.served.append(name)

    async def end(self, project: UUID, seconds: float = 0.25) -> None:
        self.queue.give(project, seconds)
        await _settled()

    async def go_away(self, name: str) -> None:
        self.cancel(name)
        await _settled()

    def cancel(self, *names: str) -> list[asyncio.Task[None]]:
        tasks = [self._tasks[name] for name in names]
        for task in tasks:
            task.cancel()
        return tasks


async def _settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_who_comes_anew_waits_for_one_of_another_project_and_not_for_its_queue() -> None:
    room = Room(places=2)
    await room.come(A, *(f"a{n}" for n in range(50)))
    await room.come(B, "b0")
    await room.end(A)
    assert room.served == ["a0", "a1", "b0"]


async def test_nobody_has_two_places_while_another_waits() -> None:
    room = Room(places=2)
    await room.come(A, *(f"a{n}" for n in range(9)))
    await room.come(B, *(f"b{n}" for n in range(9)))
    await room.end(A)
    for _ in range(3):
        await room.end(B, 0.001)
    assert room.served == ["a0", "a1", "b0", "b1", "b2", "b3"]


async def test_time_is_shared_and_not_turns() -> None:
    room = Room()
    await room.come(A, *(f"a{n}" for n in range(9)))
    await room.come(B, *(f"b{n}" for n in range(200)))
    for _ in range(104):
        await room.end(A if room.served[-1].startswith("a") else B, 0.25 if room.served[-1].startswith("a") else 0.005)
    assert sum(name.startswith("a") for name in room.served) == 3


async def test_destinations_of_a_project_take_turns() -> None:
    room = Room()
    await room.come(A, "a0", "a1", "a2", "x0", "x1", "y0")
    for _ in range(5):
        await room.end(A)
    assert room.served == ["a0", "a1", "x0", "y0", "a2", "x1"]


async def test_what_was_used_while_nobody_else_came_is_not_held_against_one() -> None:
    room = Room()
    await room.come(A, "a0")
    await room.end(A, 100)
    await room.come(B, "b0", "b1", "b2")
    await room.come(A, "a1")
    await room.end(B)
    assert room.served == ["a0", "b0", "a1"]


async def test_who_did_not_come_for_long_has_saved_nothing_up() -> None:
    room = Room()
    await room.come(B, "b0")
    await room.end(B, 1)
    await room.come(A, "a0", "a1")
    await room.end(A, 100)
    await room.come(B, "b1", "b2", "b3")
    await room.come(C, "c0")
    await room.end(A, 1)
    for project in (B, C, B):
        await room.end(project, 2)
    assert room.served[3:6] == ["b1", "c0", "b2"]


async def test_one_that_goes_away_is_passed_over_and_one_served_at_that_moment_gives_its_place_on() -> None:
    room = Room()
    await room.come(A, "a0", "a1", "a2", "a3")
    await room.go_away("a1")
    await room.end(A)
    assert room.served == ["a0", "a2"]
    room.queue.give(A, 0.1)
    await room.go_away("a3")
    await room.come(B, "b0")
    assert room.served[-1] == "b0"


@pytest.mark.parametrize("leaving", [("a1",), ("a1", "a2"), ("a1", "a2", "a3", "b1")])
async def test_no_place_is_lost_where_waiters_go_at_the_moment_in_which_one_is_free(leaving: tuple[str, ...]) -> None:
    """Cancelled, and not yet told of it: what is claimed together is out of patience together."""
    room = Room()
    await room.come(A, "a0", "a1", "a2", "a3")
    await room.come(B, "b1")
    ended = room.cancel(*leaving)
    room.queue.give(A, 0.25)
    assert {type(one) for one in await asyncio.gather(*ended, return_exceptions=True)} == {asyncio.CancelledError}
    for project in [UUID(int=1 if name[0] == "a" else 2) for name in ("b1", "a1", "a2", "a3") if name not in leaving]:
        await room.end(project)
    assert len(room.served) == 5 - len(leaving)
    await room.come(C, "c0")
    assert room.served[-1] == "c0"


async def test_what_would_wait_in_vain_is_told_at_once() -> None:
    room = Room()
    await room.come(A, "a0", *(f"a{n}" for n in range(1, 400)))  # nothing is known of them yet
    await room.end(A, 1.0)
    with pytest.raises(Full):
        await room.queue.take(A, "a")
    await room.come(B, "b0")
    await room.end(A, 1.0)
    assert room.served[-1] == "b0"


async def test_projects_of_the_past_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fair_queue, "REMEMBERED", 2)
    room = Room(places=9)
    for number in range(5):
        await room.come(UUID(int=number), f"{number}")
        await room.end(UUID(int=number))
    assert len(room.queue._idle) == 2
    assert not room.queue._active
