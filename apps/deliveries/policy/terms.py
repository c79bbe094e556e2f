"""What a delivery's policy comes to: the destination's, beneath it its event type's, beneath that the defaults."""

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from apps.destinations.policy import Exponential, OnPoison, Poison, Policy, Retry, merged

# Seconds from one attempt to the next; the first attempt is made at once (Standard Webhooks 1.0, "Deliverability").
DEFAULT_SCHEDULE: tuple[float, ...] = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
JITTER = 0.1
TIMEOUT = 15.0  # seconds


@dataclass(frozen=True, slots=True)
class Terms:
    """How long one attempt may take, and when the next is made."""

    waits: tuple[float, ...] = DEFAULT_SCHEDULE  # seconds, one after each failure; after the last there is no more
    jitter: float = JITTER  # give or take this share of a wait
    max_age: timedelta | None = None
    timeout: float = TIMEOUT


DEFAULT = Terms()


@lru_cache(maxsize=4_096)
def terms_of(destination: Policy, event_type: Policy | None = None) -> Terms:
    """The same object while the policies say the same."""
    policy = merged(destination, event_type) if event_type else destination
    timeout = TIMEOUT if policy.timeout is None else policy.timeout
    retry = policy.retry or Retry()
    max_age = None if retry.max_age is None else timedelta(seconds=retry.max_age)
    return Terms(_waits(retry)[: _most_waits(policy.poison)], retry.jitter, max_age, timeout)


def _most_waits(poison: Poison | None) -> int | None:
    """One fewer than there are attempts, where an ordered destination gives a poison event up early."""
    if poison is None or poison.after is None or poison.action is not OnPoison.DEAD_LETTER:
        return None
    return poison.after - 1


def _waits(retry: Retry) -> tuple[float, ...]:
    if retry.schedule is not None:
        return retry.schedule
    return _growing(retry.exponential) if retry.exponential else DEFAULT_SCHEDULE


def _growing(rule: Exponential) -> tuple[float, ...]:
    """One wait fewer than there are attempts."""
    waits, wait = [], rule.first
    for _ in range(rule.attempts - 1):
        waits.append(min(wait, rule.longest))
        wait = waits[-1] * rule.factor
    return tuple(waits)
