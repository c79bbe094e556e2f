"""One spelling per moment, and one time for all."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.kernel import clock

CASES = [
    (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05.000000Z"),
    (datetime(2026, 1, 2, 3, 4, 5, 60, tzinfo=UTC), "2026-01-02T03:04:05.000060Z"),
    (datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))), "2025-12-31T23:30:00.000000Z"),
    (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000000Z"),  # RFC 3339: four digits, always
    (datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), "9999-12-31T23:59:59.999999Z"),
]


@pytest.mark.parametrize(("moment", "text"), CASES)
def test_isoformat(moment: datetime, text: str) -> None:
    assert clock.isoformat(moment) == text
    assert datetime.fromisoformat(text) == moment


def test_now_is_aware_and_in_utc() -> None:
    before = datetime.now(UTC)
    assert before <= clock.now() <= datetime.now(UTC)
    assert clock.now().utcoffset() == timedelta(0)


HOUR = 3_600.0


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts the machine's clock, and the steady one, to a moment."""

    def put(*, wall: float, steady: float) -> None:
        monkeypatch.setattr("time.time", lambda: wall)
        monkeypatch.setattr(clock, "steady", lambda: steady)

    put(wall=1_000.0, steady=10.0)
    return put


def test_until_it_is_told_another_the_time_is_the_machines(machine: Callable[..., None]) -> None:
    ours = clock.Clock()
    assert ours.seconds() == 1_000.0
    machine(wall=5_000.0, steady=11.0)
    assert ours.seconds() == 5_000.0


def test_once_told_it_goes_on_steadily_whatever_the_machine_says(machine: Callable[..., None]) -> None:
    ours = clock.Clock()
    assert ours.set(1_000.0 + HOUR, asked=9.9, answered=10.1) == pytest.approx(HOUR)
    machine(wall=-HOUR, steady=15.0)
    assert ours.seconds() == pytest.approx(1_005.0 + HOUR)


@given(wrong_by=st.floats(-2 * HOUR, 2 * HOUR), took=st.floats(0, 5), share=st.floats(0, 1))
def test_it_is_wrong_by_no_more_than_the_answer_took(wrong_by: float, took: float, share: float) -> None:
    """Wherever between question and answer the other clock was read."""
    ours = clock.Clock()
    began = time.time() - clock.steady()
    asked = clock.steady()
    ours.set(began + asked + share * took + wrong_by, asked=asked, answered=asked + took)
    found = ours.seconds() - clock.steady() - began
    assert abs(found - wrong_by) <= took + clock.TOLERATED + 1e-3


def test_what_was_answered_late_does_not_replace_what_is_known(machine: Callable[..., None]) -> None:
    ours = clock.Clock()
    ours.set(1_000.0 + HOUR, asked=9.9, answered=10.1)
    assert ours.set(1_000.0, asked=7.0, answered=10.0) == 0.0
    assert ours.seconds() == pytest.approx(1_000.0 + HOUR)


def test_one_that_is_right_is_left_alone(machine: Callable[..., None]) -> None:
    ours = clock.Clock()
    for told in (1_000.04, 999.96, 1_000.0):
        assert ours.set(told, asked=9.95, answered=10.05) == 0.0
    assert ours.seconds() == 1_000.0
