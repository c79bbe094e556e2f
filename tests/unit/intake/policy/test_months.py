"""Months in UTC, and who has room in one."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.intake.policy.months import fitting, month_of, seconds_left


@pytest.mark.parametrize(
    ("moment", "month", "left"),
    [
        (datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC), date(2026, 1, 1), 1),
        (datetime(2026, 12, 1, tzinfo=UTC), date(2026, 12, 1), 31 * 86_400),
        (datetime(2028, 2, 28, tzinfo=UTC), date(2028, 2, 1), 2 * 86_400),
        (datetime(2026, 2, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))), date(2026, 1, 1), 1_800),
    ],
)
def test_the_month_and_what_is_left_of_it(moment: datetime, month: date, left: int) -> None:
    assert (month_of(moment), seconds_left(moment)) == (month, left)


@given(st.floats(0, 4e9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)))
def test_the_next_month_begins_when_this_one_is_over(moment: datetime) -> None:
    end = moment + timedelta(seconds=seconds_left(moment))
    assert month_of(end) > month_of(moment)
    assert month_of(end - timedelta(microseconds=1)) == month_of(moment)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_exactly_what_is_left_fits_and_the_first_come_first(limit: int, used: int, asked: int) -> None:
    found = list(fitting([limit] * asked, used))
    room = min(asked, max(0, limit - used))
    assert found == [True] * room + [False] * (asked - room)
