"""How often a delivery may be held by an engine that dies."""

from datetime import timedelta

from apps.deliveries.policy.rescue import MOST_RESCUES, pause_after_rescue


def test_the_first_rescue_is_the_engines_own_fault() -> None:
    assert pause_after_rescue(0) == timedelta(0)


def test_each_further_one_makes_it_wait_twice_as_long() -> None:
    pauses = [pause_after_rescue(earlier) for earlier in range(1, MOST_RESCUES)]
    assert pauses == [timedelta(seconds=5 * 2**number) for number in range(MOST_RESCUES - 1)]


def test_at_last_it_is_given_up() -> None:
    assert pause_after_rescue(MOST_RESCUES) is None
