"""When an operation whose chunk failed is tried again."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.deliveries.policy.persistence import next_try

NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.mark.parametrize(("failures", "seconds"), [(1, 5), (2, 30), (3, 120), (4, 600), (5, None), (6, None)])
def test_later_each_time_and_at_last_never(failures: int, seconds: int | None) -> None:
    assert next_try(failures, NOW, for_ever=False) == (None if seconds is None else NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("failures", [4, 5, 32_767])
def test_for_ever_it_is_every_ten_minutes(failures: int) -> None:
    assert next_try(failures, NOW, for_ever=True) == NOW + timedelta(minutes=10)
