"""A project's bucket in one process, and what is remembered of refusals."""

from uuid import UUID

from apps.intake.rates import Rates

ONE, OTHER = UUID(int=1), UUID(int=2)


class World:
    """Buckets by a clock that stands still unless moved."""

    def __init__(self) -> None:
        self.time = 1_000.0
        self.rates = Rates(clock=lambda: self.time)


def test_a_seconds_worth_and_then_the_rate() -> None:
    world = World()
    assert [world.rates.take(ONE, 1, 4) for _ in range(6)] == [0, 0, 0, 0, 0.25, 0.25]
    assert world.rates.take(OTHER, 4, 4) == 0
    world.time += 0.25
    assert world.rates.take(ONE, 1, 4) == 0
    assert world.rates.take(ONE, 1, 4) == 0.25


def test_a_refusal_is_known_without_asking_for_as_many_or_more() -> None:
    world = World()
    world.rates.take(ONE, 3, 4)
    assert world.rates.take(ONE, 3, 4) == 0.5
    assert world.rates.waits(ONE, 3, 4) == world.rates.waits(ONE, 4, 4) == 0.5
    assert world.rates.waits(ONE, 1, 4) == world.rates.waits(OTHER, 3, 4) == 0
    assert world.rates.waits(ONE, 3, 400) == 0  # the quota was raised
    assert world.rates.take(ONE, 1, 4) == 0
    world.time += 0.5
    assert world.rates.waits(ONE, 3, 4) == 0
