"""The bucket: never more than its rate and one burst, whatever the order of asking; and nobody starves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.intake.policy.rate import BURST, take

RATE = st.integers(1, 1_000_000)
ASKED = st.lists(st.tuples(st.floats(0, 3), st.integers(1, 2_000)), max_size=60)


def asked_in_turn(rate: int, steps: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """When how many were granted."""
    arrival, moment, granted = 0.0, 1_000.0, []
    for pause, count in steps:
        moment += pause
        taken = take(arrival, count=count, rate=rate, now=moment)
        if not taken.wait:
            granted.append((moment, count))
        arrival = taken.arrival
    return granted


@given(RATE, ASKED)
def test_over_any_span_no_more_than_the_rate_a_burst_and_one_request(rate: int, steps: list[tuple[float, int]]) -> None:
    granted = asked_in_turn(rate, steps)
    for start in range(len(granted)):
        for end in range(start, len(granted)):
            span = granted[end][0] - granted[start][0]
            before_last = sum(count for _, count in granted[start:end])
            assert before_last <= rate * (span + BURST) * (1 + 1e-6) + 1e-3 or granted[start][1] > rate


@given(RATE, st.integers(1, 2_000), st.floats(0, 5))
def test_who_waits_as_long_as_told_gets_it(rate: int, count: int, ahead: float) -> None:
    refused = take(1_000.0 + ahead, count=count, rate=rate, now=1_000.0)
    if refused.wait:
        assert refused.arrival == 1_000.0 + ahead
        assert not take(refused.arrival, count=count, rate=rate, now=1_000.0 + refused.wait + 1e-6).wait
        assert take(refused.arrival, count=count, rate=rate, now=1_000.0 + refused.wait * 0.99 - 1e-5).wait


@pytest.mark.parametrize(
    ("arrival", "count", "wait"),
    [
        (0.0, 10, 0.0),  # a second's worth at once
        (0.0, 1_000, 0.0),  # more than it ever holds: when it is full, and then it is in debt
        (10.05, 1_000, 0.05),
        (11.0, 1, 0.1),
        (10.9, 1, 0.0),
        (10.9, 2, 0.1),
        (110.0, 1, 99.1),
    ],
)
def test_of_ten_a_second(arrival: float, count: int, wait: float) -> None:
    assert take(arrival, count=count, rate=10, now=10.0).wait == pytest.approx(wait)


@given(RATE)
def test_exactly_a_seconds_worth_one_by_one(rate: int) -> None:
    rate = rate % 500 + 1
    arrival, granted = 0.0, 0
    while not (taken := take(arrival, count=1, rate=rate, now=1_000_000.0)).wait:
        arrival, granted = taken.arrival, granted + 1
    assert granted == rate
