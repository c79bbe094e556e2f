"""When an operation whose chunk failed is tried again, and when it is given up."""

from datetime import datetime, timedelta

PAUSES = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
)  # after the first failure in a row, the second, …


def next_try(failures: int, now: datetime, *, for_ever: bool) -> datetime | None:
    """After so many failures in a row; None: it is given up, unless it is to be tried `for_ever`."""
    if failures > len(PAUSES) and not for_ever:
        return None
    return now + PAUSES[min(failures, len(PAUSES)) - 1]
