"""The one place that reads the clock; policies take `now` as an argument instead.

The time is this machine's until somebody who must be believed has told another: then that is carried on by a clock that
never jumps (`database_clock.py` says who, and why).
"""

import time
from datetime import UTC, datetime

SLOW = 2.0  # seconds that an answer may take; a later one is no better than what we know
TOLERATED = 0.01  # seconds that two clocks may differ: asking another machine is no more exact
STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # goes on while the machine sleeps, where there is one


def steady() -> float:
    """Seconds since some moment; never jumps."""
    return time.clock_gettime(STEADY)


class Clock:
    """Of one process; safe in threads."""

    def __init__(self) -> None:
        self._origin: float | None = None  # Unix time when `steady` was 0; None: as the machine says

    def seconds(self) -> float:
        """Unix time."""
        return time.time() if self._origin is None else steady() + self._origin

    def set(self, told: float, *, asked: float, answered: float) -> float:
        """Another clock said `told` (Unix time) between two moments of `steady`; the seconds that ours was wrong by.

        The other one may have been read at any moment of the two (Cristian, "Probabilistic clock synchronization",
        1989): what lies within is no difference, and a clock that is right is left as it is.
        """
        if self._origin is not None and answered - asked > SLOW:
            return 0.0
        origin = time.time() - steady() if self._origin is None else self._origin
        wrong_by = told - ((asked + answered) / 2 + origin)
        if abs(wrong_by) <= (answered - asked) / 2 + TOLERATED:
            wrong_by = 0.0
        self._origin = origin + wrong_by
        return wrong_by


clock = Clock()


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.fromtimestamp(clock.seconds(), UTC)


def isoformat(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds and `Z`: one spelling per moment, so bodies stay byte-identical."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
