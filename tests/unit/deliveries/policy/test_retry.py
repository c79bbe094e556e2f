"""When a failed delivery is tried again: the contract's schedule by table, and what holds for any schedule."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.deliveries.policy.retry import DEFAULT_SCHEDULE, JITTER, Decision, decide, jittered
from apps.deliveries.policy.terms import Terms
from apps.deliveries.policy.verdict import Verdict
from apps.deliveries.states import Edge

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
FAILED = Verdict(Edge.FAILED)
MIDDLE = 0.5  # of the jitter: none


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


TABLE = [
    (0, 5),  # 5 s
    (1, 300),  # 5 × 60, 5 min
    (2, 1_800),  # 30 × 60, 30 min
    (3, 7_200),  # 2 × 3,600, 2 h
    (4, 18_000),  # 5 × 3,600, 5 h
    (5, 36_000),  # 10 × 3,600, 10 h
    (6, 36_000),  # 10 h again; 5 + 300 + 1,800 + 7,200 + 18,000 + 2 × 36,000 = 99,305 s: a day and 3½ hours in all
]


@pytest.mark.parametrize(("failures", "seconds"), TABLE)
def test_the_contracts_schedule(failures: int, seconds: int) -> None:
    assert decide(FAILED, failures=failures, now=NOW, random=MIDDLE) == Decision(Edge.FAILED, after(seconds))


def test_the_eighth_failure_is_the_last() -> None:
    assert len(TABLE) == len(DEFAULT_SCHEDULE) == 7  # and the first attempt at once makes eight
    assert decide(FAILED, failures=7, now=NOW, random=MIDDLE) == Decision(Edge.EXHAUSTED)


JITTERED = [
    (0.0, 90.0),  # 100 × (1 + 0.1 × (2 × 0 - 1)) = 100 × 0.9
    (0.25, 95.0),  # 100 × (1 + 0.1 × (0.5 - 1)) = 100 × 0.95
    (0.5, 100.0),
    (0.75, 105.0),
]


@pytest.mark.parametrize(("random", "seconds"), JITTERED)
def test_jitter(random: float, seconds: float) -> None:
    assert jittered(100, random) == pytest.approx(seconds)


WISHES = [
    (0, 2, 5),  # the receiver's wish is sooner than the schedule: the schedule counts
    (0, 7, 7),  # later: the wish counts
    (1, 7, 300),
    (1, 86_400, 86_400),
]


@pytest.mark.parametrize(("failures", "wish", "seconds"), WISHES)
def test_a_receivers_wish_can_only_delay(failures: int, wish: int, seconds: int) -> None:
    verdict = Verdict(Edge.FAILED, not_before=after(wish))
    assert decide(verdict, failures=failures, now=NOW, random=MIDDLE).due_at == after(seconds)


@pytest.mark.parametrize(
    ("verdict", "decision"),
    [
        (Verdict(Edge.SUCCEEDED), Decision(Edge.SUCCEEDED)),
        (Verdict(Edge.REJECTED, disables=True), Decision(Edge.REJECTED, disables=True)),
    ],
)
def test_what_is_settled_is_not_due_again(verdict: Verdict, decision: Decision) -> None:
    for failures in range(9):
        assert decide(verdict, failures=failures, now=NOW, random=MIDDLE) == decision


randoms = st.floats(min_value=0, max_value=1, exclude_max=True)
schedules = st.lists(st.integers(min_value=1, max_value=10**6), max_size=10).map(tuple)
wishes = st.one_of(st.none(), st.integers(min_value=1, max_value=86_400).map(after))


@given(st.integers(min_value=0, max_value=20), randoms, schedules, wishes)
def test_for_any_schedule(failures: int, random: float, schedule: tuple[int, ...], wish: datetime | None) -> None:
    verdict = Verdict(Edge.FAILED, not_before=wish)
    decision = decide(verdict, failures=failures, now=NOW, random=random, terms=Terms(waits=schedule))
    if failures >= len(schedule):  # exhausted exactly at the end, and not one failure before
        assert decision == Decision(Edge.EXHAUSTED)
        return
    assert decision.edge is Edge.FAILED
    assert decision.due_at is not None
    assert wish is None or decision.due_at >= wish
    delay, bound = (decision.due_at - NOW).total_seconds(), schedule[failures]
    assert delay >= bound * (1 - JITTER) - 1e-5  # microseconds are as fine as a datetime is
    assert delay <= max(bound * (1 + JITTER) + 1e-5, (wish - NOW).total_seconds() if wish else 0)


@given(st.integers(min_value=1, max_value=10**6), randoms, randoms)
def test_jitter_grows_with_the_random_number(seconds: int, one: float, other: float) -> None:
    lower, higher = sorted((one, other))
    assert jittered(seconds, lower) <= jittered(seconds, higher)


def test_what_would_be_too_old_is_given_up() -> None:
    """Measured at the moment the next attempt would be made."""
    terms = Terms(waits=(10, 10))
    assert decide(FAILED, failures=0, now=NOW, random=MIDDLE, terms=terms, until=after(10)).due_at == after(10)
    assert decide(FAILED, failures=0, now=NOW, random=MIDDLE, terms=terms, until=after(9)).edge is Edge.EXHAUSTED


def test_a_wish_beyond_the_last_moment_is_cut_to_it() -> None:
    """One more attempt is better than none."""
    verdict = Verdict(Edge.FAILED, not_before=after(3_600))
    decision = decide(verdict, failures=0, now=NOW, random=MIDDLE, terms=Terms(waits=(10,)), until=after(60))
    assert decision == Decision(Edge.FAILED, after(60))


@given(
    st.integers(0, 120),
    randoms,
    st.lists(st.floats(0, 2_592_000), max_size=100).map(tuple),
    st.floats(0, 1),
    wishes,
    st.integers(-1_000_000, 2_592_000).map(after),
)
def test_for_any_terms_nothing_is_due_beyond_its_age(
    failures: int, random: float, waits: tuple[float, ...], jitter: float, wish: datetime | None, until: datetime
) -> None:
    verdict, terms = Verdict(Edge.FAILED, not_before=wish), Terms(waits=waits, jitter=jitter)
    decision = decide(verdict, failures=failures, now=NOW, random=random, terms=terms, until=until)
    assert decision.edge in {Edge.FAILED, Edge.EXHAUSTED}
    if decision.due_at is not None:
        assert failures < len(waits)
        assert NOW <= decision.due_at <= until
