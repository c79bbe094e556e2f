"""A token bucket as one moment: the generic cell rate algorithm (ITU-T I.371, as virtual scheduling).

`arrival` is when the next delivery would come at an even pace. Each one moves it on by 1 / rate; one may go as long as
that leaves it at most a burst ahead of now. A bucket nobody has used yet, or for long, is full.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.destinations.policy import RateLimit

GRAIN = 0.02  # seconds; what comes in that time may go at once, as a claim for each would cost more than sending it


@dataclass(frozen=True, slots=True)
class Grant:
    """So many may go now, and when there is one more."""

    tokens: int
    next_at: datetime


def burst(limit: RateLimit) -> int:
    """How many may go at once: never fewer than what comes in GRAIN."""
    return max(limit.burst, int(limit.per_second * GRAIN))


def grant(arrival: datetime | None, now: datetime, limit: RateLimit, wanted: int) -> Grant:
    """As many as wanted, if there are that many; nothing is taken yet.

    `arrival` far ahead, as after a clock that jumped, counts as an empty bucket and no worse.
    """
    tokens = min(max(0, wanted), available(arrival, now, limit))
    after = taken(arrival, now, limit, tokens)
    return Grant(tokens, max(now, after + _seconds(limit, 1 - burst(limit))))


def available(arrival: datetime | None, now: datetime, limit: RateLimit) -> int:
    """Whole tokens in the bucket."""
    ahead = (_bounded(arrival, now, limit) - now).total_seconds()
    return max(0, int(burst(limit) - ahead * limit.per_second + 1e-6))  # microseconds are as fine as a datetime is


def taken(arrival: datetime | None, now: datetime, limit: RateLimit, tokens: int) -> datetime:
    """The arrival once so many are taken."""
    return _bounded(arrival, now, limit) + _seconds(limit, tokens)


def _bounded(arrival: datetime | None, now: datetime, limit: RateLimit) -> datetime:
    return min(max(arrival or now, now), now + _seconds(limit, burst(limit)))


def _seconds(limit: RateLimit, tokens: int) -> timedelta:
    return timedelta(seconds=tokens / limit.per_second)
