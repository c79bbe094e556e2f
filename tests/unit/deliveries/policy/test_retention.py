"""What a project keeps: its own word, else the installation's; 0 is for ever."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.deliveries.policy.retention import Retention, oldest_kept, retention_of

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "events", "default", "kept"),
    [
        (None, None, 90, Retention(90, None)),
        (None, None, 0, Retention(None, None)),
        (7, None, 90, Retention(7, None)),
        (0, None, 90, Retention(None, None)),
        (None, 1000, 0, Retention(None, 1000)),
        (0, 0, 90, Retention(None, None)),
    ],
)
def test_whose_word_counts(days: int | None, events: int | None, default: int, kept: Retention) -> None:
    assert retention_of(days, events, default_days=default) == kept


def test_the_oldest_kept() -> None:
    assert oldest_kept(Retention(7, None), NOW) == NOW - timedelta(days=7)
    assert oldest_kept(Retention(None, 5), NOW) is None
