"""Calendar months in UTC, and how many of those that ask have room in one."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime


def month_of(moment: datetime) -> date:
    """Its first day."""
    return moment.astimezone(UTC).date().replace(day=1)


def seconds_left(moment: datetime) -> float:
    """Until the month is over."""
    first = month_of(moment)
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    end = datetime(following.year, following.month, following.day, tzinfo=UTC)
    return (end - moment).total_seconds()


def fitting(limits: Sequence[int], used: int) -> Iterator[bool]:
    """For each that asks for one, in turn, whether there is room below its limit."""
    for limit in limits:
        fits = used < limit
        used += fits
        yield fits
