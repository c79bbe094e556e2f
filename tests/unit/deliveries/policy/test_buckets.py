"""The token bucket: by table, and against a plain bucket with a counter, whatever order things come in."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from apps.deliveries.policy.buckets import GRAIN, available, burst, grant, taken
from apps.destinations.policy import RateLimit

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_bucket_nobody_used_is_full() -> None:
    limit = RateLimit(per_second=10, burst=5)
    assert available(None, NOW, limit) == available(after(-3_600), NOW, limit) == 5
    assert grant(None, NOW, limit, 3).tokens == 3
    assert grant(None, NOW, limit, 100).tokens == 5


def test_the_next_one_comes_at_the_rate() -> None:
    limit = RateLimit(per_second=10, burst=5)
    arrival = taken(None, NOW, limit, 5)
    assert grant(arrival, NOW, limit, 1).tokens == 0
    assert grant(arrival, NOW, limit, 1).next_at == after(0.1)
    assert grant(arrival, after(0.1), limit, 5).tokens == 1
    assert grant(arrival, after(0.35), limit, 5).tokens == 3
    assert grant(arrival, after(60), limit, 50).tokens == 5


@pytest.mark.parametrize(("per_second", "given", "least"), [(1, 1, 1), (50, 1, 1), (1_000, 1, 20), (1_000, 50, 50)])
def test_a_high_rate_comes_in_grains(per_second: float, given: int, least: int) -> None:
    """1,000 a second one by one would be a claim each millisecond."""
    assert burst(RateLimit(per_second=per_second, burst=given)) == least
    assert GRAIN == 0.02


def test_less_than_one_a_second() -> None:
    limit = RateLimit(per_second=0.1)
    arrival = taken(None, NOW, limit, 1)
    assert grant(arrival, after(9.9), limit, 1).tokens == 0
    assert grant(arrival, after(10), limit, 1).tokens == 1


def test_a_clock_that_jumped_back_empties_the_bucket_and_no_more() -> None:
    limit = RateLimit(per_second=10, burst=5)
    arrival = taken(None, after(86_400), limit, 5)
    assert grant(arrival, NOW, limit, 1).tokens == 0
    assert grant(arrival, NOW, limit, 1).next_at == after(0.1)


LIMITS = st.builds(RateLimit, per_second=st.floats(0.01, 100_000), burst=st.integers(1, 1_000))


@given(LIMITS, st.one_of(st.none(), st.floats(-1e6, 1e6).map(after)), st.integers(0, 2_000))
def test_whatever_is_granted_was_there(limit: RateLimit, arrival: datetime | None, wanted: int) -> None:
    found = grant(arrival, NOW, limit, wanted)
    assert 0 <= found.tokens <= min(wanted, burst(limit))
    assert found.next_at >= NOW
    left = taken(arrival, NOW, limit, found.tokens)
    assert available(left, found.next_at + timedelta(microseconds=2), limit) >= 1


class Bucket(RuleBasedStateMachine):
    """Several engines take turns at one bucket; the model counts tokens as fractions."""

    @initialize(per_second=st.sampled_from([1, 2, 10, 50]), most=st.integers(1, 20))
    def made(self, per_second: int, most: int) -> None:
        self.limit = RateLimit(per_second=per_second, burst=most)
        self.now = NOW
        self.arrival: datetime | None = None
        self.tokens, self.sent = Fraction(most), 0
        self.began = NOW

    @rule(milliseconds=st.integers(0, 5_000))
    def time_passes(self, milliseconds: int) -> None:
        self.now += timedelta(milliseconds=milliseconds)
        more = Fraction(int(self.limit.per_second) * milliseconds, 1_000)
        self.tokens = min(Fraction(self.limit.burst), self.tokens + more)

    @rule(wanted=st.integers(0, 30), claimed=st.integers(0, 30))
    def claim(self, wanted: int, claimed: int) -> None:
        """Of what is granted fewer may be there to be claimed: the rest is not taken."""
        granted = grant(self.arrival, self.now, self.limit, wanted).tokens
        assert granted == min(wanted, int(self.tokens))
        spent = min(granted, claimed)
        self.arrival = taken(self.arrival, self.now, self.limit, spent)
        self.tokens -= spent
        self.sent += spent

    @invariant()
    def never_more_than_the_rate_allows(self) -> None:
        if hasattr(self, "began"):
            seconds = (self.now - self.began).total_seconds()
            assert self.sent <= self.limit.burst + seconds * self.limit.per_second + 1e-6


TestBucket = Bucket.TestCase
