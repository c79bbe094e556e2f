"""Filters: what they take for a time."""

from datetime import UTC, datetime

import pytest
from django.forms import ValidationError

from apps.kernel.filters import MomentField


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.6+02:00", datetime(2026, 1, 2, 1, 4, 5, 600_000, tzinfo=UTC)),
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_as_utc(text: str, moment: datetime) -> None:
    assert MomentField().clean(text) == moment


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-00:01", "yesterday", "\0"])
def test_what_no_database_could_hold_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        MomentField().clean(text)


def test_nothing_is_no_moment() -> None:
    assert MomentField(required=False).clean("") is None
