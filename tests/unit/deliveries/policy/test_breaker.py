"""The circuit breaker: its table, its times, and a model of several engines that use it together."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from apps.deliveries.policy.breaker import (
    DISABLE_AFTER,
    FRESH,
    TRANSITIONS,
    Circuit,
    Standing,
    disables,
    judged,
    may_probe,
    probed,
    ramping,
    reset,
    rising,
)
from apps.destinations.policy import Breaker

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
RULE = Breaker(failures=3, open_for=5, longest=60, ramp=10)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def opened(rule: Breaker = RULE) -> Standing:
    return judged(FRESH, [False] * rule.failures, rule, NOW)


def test_only_its_edges_leave_a_state() -> None:
    assert {(state.value, turn.value): to.value for (state, turn), to in TRANSITIONS.items()} == {
        ("closed", "tripped"): "open",
        ("open", "probed"): "half_open",
        ("half_open", "probed"): "half_open",
        ("half_open", "refused"): "open",
        ("half_open", "recovered"): "closed",
        ("open", "recovered"): "closed",
        ("open", "reset"): "closed",
        ("half_open", "reset"): "closed",
        ("closed", "reset"): "closed",
    }
    with pytest.raises(KeyError):
        probed(FRESH, until=NOW)


def test_so_many_failures_in_a_row_open_it() -> None:
    two = judged(FRESH, [False, False], RULE, NOW)
    assert (two.state, two.failures, two.failing_since) == (Circuit.CLOSED, 2, NOW)
    three = judged(two, [False], RULE, after(1))
    assert three == Standing(Circuit.OPEN, 3, NOW, 1, after(6), None)


def test_a_success_between_them_begins_the_count_anew() -> None:
    assert judged(FRESH, [False, False, True, False, False], RULE, NOW).failures == 2
    assert judged(FRESH, [False, False, True], RULE, NOW) == FRESH


def test_one_that_is_switched_off_counts_and_never_opens() -> None:
    standing = judged(FRESH, [False] * 1_000, replace_rule(enabled=False), NOW)
    assert (standing.state, standing.failures, standing.failing_since) == (Circuit.CLOSED, 1_000, NOW)


def replace_rule(**changes: object) -> Breaker:
    return Breaker(**{"failures": 3, "open_for": 5, "longest": 60, "ramp": 10, **changes})  # type: ignore[arg-type]


TIMES = [5, 10, 20, 40, 60, 60, 60]  # twice as long each time, up to the longest


def test_each_failed_probe_opens_it_for_longer() -> None:
    standing, moment = opened(), NOW
    for seconds in TIMES:
        assert standing.retry_at == moment + timedelta(seconds=seconds)
        assert not may_probe(standing, standing.retry_at - timedelta(microseconds=1))
        assert may_probe(standing, standing.retry_at)
        moment = standing.retry_at
        standing = judged(probed(standing, until=moment + timedelta(seconds=90)), [False], RULE, moment)
        assert standing.state is Circuit.OPEN


def test_while_somebody_probes_nobody_else_does_until_his_time_is_over() -> None:
    probing = probed(opened(), until=after(65))
    assert not may_probe(probing, after(64))
    assert may_probe(probing, after(65))
    assert probed(probing, until=after(130)).retry_at == after(130)


@pytest.mark.parametrize("standing", [opened(), probed(opened(), until=after(60))], ids=["open", "half open"])
def test_a_success_closes_it_and_the_pace_is_raised(standing: Standing) -> None:
    closed = judged(standing, [True], RULE, after(7))
    assert (closed.state, closed.failures, closed.failing_since, closed.retry_at) == (Circuit.CLOSED, 0, None, None)
    assert closed.closed_at == after(7)
    assert ramping(closed, RULE, after(16.9))
    assert not ramping(closed, RULE, after(17))


def test_one_that_fails_again_on_the_ramp_is_left_alone_for_longer() -> None:
    closed = judged(judged(opened(), [True], RULE, after(7)), [True], RULE, after(8))
    again = judged(closed, [False] * 3, RULE, after(9))
    assert (again.opened, again.retry_at) == (2, after(9 + 10))


def test_after_the_ramp_nothing_is_remembered() -> None:
    closed = judged(opened(), [True], RULE, after(7))
    assert judged(closed, [True], RULE, after(18)) == FRESH
    assert reset(opened()) == reset(FRESH) == FRESH


def test_what_was_in_flight_when_it_opened_does_not_open_it_for_longer() -> None:
    late = judged(opened(), [False] * 50, RULE, after(1))
    assert (late.state, late.opened, late.retry_at, late.failures) == (Circuit.OPEN, 1, after(5), 53)


def test_five_days_of_failing_are_enough() -> None:
    standing = opened()
    assert DISABLE_AFTER == 5 * 24 * 3_600
    assert not disables(standing, after(DISABLE_AFTER - 1), None)
    assert disables(standing, after(DISABLE_AFTER), None)
    assert disables(standing, after(60), 60)
    assert not disables(FRESH, after(10**9), 60)


RISING = [(0, 1), (0.5, 12), (5, 128), (9.99, 255), (10, 256), (99, 256), (-3, 1)]  # of 256 places, in ten seconds


@pytest.mark.parametrize(("elapsed", "held"), RISING)
def test_the_ramp(elapsed: float, held: int) -> None:
    assert rising(256, elapsed, 10) == held


def test_no_ramp_is_all_at_once() -> None:
    assert rising(256, 0, 0) == 256


RULES = st.builds(
    Breaker,
    enabled=st.booleans(),
    failures=st.integers(1, 30),
    open_for=st.floats(0.001, 86_400),
    longest=st.floats(0.001, 86_400),
    ramp=st.floats(0, 3_600),
)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 10_000)), max_size=200), RULES)
def test_whatever_comes_in_whatever_order(ended: list[tuple[bool, float]], breaker: Breaker) -> None:
    standing, moment = FRESH, NOW
    for succeeded, pause in ended:
        moment += timedelta(seconds=pause)
        standing = judged(standing, [succeeded], breaker, moment)
        assert (standing.state is Circuit.CLOSED) == (standing.retry_at is None)
        assert (standing.failures == 0) == (standing.failing_since is None)
        if succeeded:
            assert standing.state is Circuit.CLOSED
        if not breaker.enabled:
            assert standing.state is Circuit.CLOSED


class Engines(RuleBasedStateMachine):
    """Engines share the row under its lock. Deliveries are claimed, end well or badly, or their engine dies."""

    LEASE = 60

    @initialize(failures=st.integers(1, 5), open_for=st.integers(1, 20))
    def made(self, failures: int, open_for: int) -> None:
        self.rule = Breaker(failures=failures, open_for=open_for, longest=100, ramp=10)
        self.row, self.now = FRESH, NOW
        self.free = self.probes = 0  # in flight: claimed while it was closed, and as probes
        self.prober_until = NOW
        self.in_a_row = 0

    @rule(seconds=st.integers(0, 30))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(count=st.integers(1, 5))
    def claim(self, count: int) -> None:
        if self.row.state is Circuit.CLOSED:
            self.free += count
        elif may_probe(self.row, self.now):
            assert self.prober_until <= self.now, "two probe at once"
            self.prober_until = self.now + timedelta(seconds=self.LEASE)
            self.row = probed(self.row, until=self.prober_until)
            self.probes += 1

    @precondition(lambda self: self.free or self.probes)
    @rule(succeeded=st.booleans())
    def ends(self, succeeded: bool) -> None:
        was = self.row
        if self.probes:
            self.probes -= 1
        else:
            self.free -= 1
        self.row = judged(self.row, [succeeded], self.rule, self.now)
        self.in_a_row = 0 if succeeded else self.in_a_row + 1
        if self.row.state is not Circuit.HALF_OPEN:
            self.prober_until = self.now
        if was.state is Circuit.CLOSED:
            assert (self.row.state is Circuit.OPEN) == (self.in_a_row >= self.rule.failures)

    @precondition(lambda self: self.probes)
    @rule()
    def the_prober_dies(self) -> None:
        """Nobody says so; its time has to run out."""
        self.probes -= 1

    @rule()
    def a_person_resets_it(self) -> None:
        self.row, self.in_a_row, self.prober_until = reset(self.row), 0, self.now

    @invariant()
    def it_is_as_it_must_be(self) -> None:
        row = self.row if hasattr(self, "row") else FRESH
        assert (row.state is Circuit.CLOSED) == (row.retry_at is None)
        if hasattr(self, "row"):
            assert row.failures == self.in_a_row
            longest = timedelta(seconds=max(self.rule.longest, self.LEASE))
            assert row.retry_at is None or row.retry_at <= self.now + longest, "it may be probed one day"

    def teardown(self) -> None:
        """However it went, in the end it is probed, and a success closes it."""
        if hasattr(self, "row") and self.row.state is not Circuit.CLOSED:
            moment = self.now + timedelta(seconds=1_000)
            assert may_probe(self.row, moment)
            closed = judged(probed(self.row, until=moment), [True], self.rule, moment)
            assert closed == replace(closed, state=Circuit.CLOSED, failures=0, retry_at=None)


TestEngines = Engines.TestCase
