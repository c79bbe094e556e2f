"""When a project's backlog is read, and what is said of it between two readings."""

from uuid import UUID

import pytest

from apps.intake.backlogs import ACTIVE, EVERY, SHARE, Backlogs

ONE = UUID(int=1)


class World:
    """A clock, and a project with so many deliveries waiting, which take so long to count."""

    def __init__(self) -> None:
        self.time, self.waiting, self.takes, self.counted = 1_000.0, 0, 0.0, 0
        self.backlogs = Backlogs(count=self._count, clock=lambda: self.time)

    def _count(self, project_id: UUID, most: int) -> int:
        self.counted += 1
        self.time += self.takes
        return min(self.waiting, most)

    def after(self, seconds: float) -> float:
        self.time += seconds
        self.backlogs.refresh()
        return self.backlogs.waits(ONE, 10)


@pytest.fixture
def world() -> World:
    return World()


def test_at_the_quota_until_a_reading_finds_room(world: World) -> None:
    world.waiting = 10
    assert world.backlogs.waits(ONE, 10) == 0  # nobody has counted yet
    assert world.after(0) == EVERY
    world.waiting = 9
    assert world.after(EVERY / 2) == EVERY
    assert world.counted == 1
    assert world.after(EVERY / 2) == 0


def test_another_quota_counts_at_once(world: World) -> None:
    world.waiting = 10
    world.backlogs.waits(ONE, 10)
    assert world.after(0)
    assert world.backlogs.waits(ONE, 20) == 0


def test_what_takes_long_is_read_less_often(world: World) -> None:
    world.takes = 1.0
    world.backlogs.waits(ONE, 10)
    for _ in range(1_000):
        world.after(0.1)
    assert world.counted == pytest.approx(100 * SHARE, abs=1)


def test_who_publishes_no_more_is_not_read(world: World) -> None:
    world.backlogs.waits(ONE, 10)
    world.time += ACTIVE + 1
    world.backlogs.refresh()
    assert (world.counted, world.backlogs.any_due()) == (0, False)


def test_without_a_background_who_asks_reads(world: World) -> None:
    world.waiting = 10
    world.backlogs.waits(ONE, 10)
    for _ in range(3):
        world.backlogs.refresh_one(ONE)
    assert (world.counted, world.backlogs.waits(ONE, 10)) == (1, EVERY)
