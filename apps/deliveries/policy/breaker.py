"""A destination's circuit breaker: when nothing is sent to one that only fails, and how it comes back.

Closed lets all through. After so many failures in a row it is open: nothing is sent, and no attempts are used up. When
its time is over a probe goes out, half open. A success, whoever had it, closes it, and the pace is raised over the
ramp; a failed probe opens it for twice as long.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from apps.destinations.policy import Breaker

PROBES = 2  # deliveries
DISABLE_AFTER = 5 * 86_400  # seconds
LONGEST_EXPONENT = 30


class Circuit(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Step(StrEnum):
    TRIPPED = "tripped"  # so many failures in a row
    PROBED = "probed"  # an engine took it upon itself to try
    REFUSED = "refused"  # the probe failed
    RECOVERED = "recovered"  # a success
    RESET = "reset"  # by a person


TRANSITIONS: MappingProxyType[tuple[Circuit, Step], Circuit] = MappingProxyType(
    {
        (Circuit.CLOSED, Step.TRIPPED): Circuit.OPEN,
        (Circuit.OPEN, Step.PROBED): Circuit.HALF_OPEN,
        (Circuit.HALF_OPEN, Step.PROBED): Circuit.HALF_OPEN,  # the prober died
        (Circuit.HALF_OPEN, Step.REFUSED): Circuit.OPEN,
        (Circuit.HALF_OPEN, Step.RECOVERED): Circuit.CLOSED,
        (Circuit.OPEN, Step.RECOVERED): Circuit.CLOSED,  # by what was in flight when it opened
        (Circuit.OPEN, Step.RESET): Circuit.CLOSED,
        (Circuit.HALF_OPEN, Step.RESET): Circuit.CLOSED,
        (Circuit.CLOSED, Step.RESET): Circuit.CLOSED,
    }
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What all engines know of a destination together."""

    state: Circuit = Circuit.CLOSED
    failures: int = 0  # in a row
    failing_since: datetime | None = None
    opened: int = 0  # how often in a row
    retry_at: datetime | None = None
    closed_at: datetime | None = None

    @property
    def untroubled(self) -> bool:
        """Nothing is worth remembering."""
        return self == FRESH


FRESH = Standing()


def judged(standing: Standing, outcomes: Sequence[bool], rule: Breaker, now: datetime) -> Standing:
    """After attempts that ended, oldest first: whether each succeeded."""
    for succeeded in outcomes:
        standing = _succeeded(standing, rule, now) if succeeded else _failed(standing, rule, now)
    return standing


def _succeeded(standing: Standing, rule: Breaker, now: datetime) -> Standing:
    if standing.state is not Circuit.CLOSED:
        closed = _stepped(standing, Step.RECOVERED)
        return replace(closed, failures=0, failing_since=None, retry_at=None, closed_at=now)
    return replace(standing, failures=0, failing_since=None) if ramping(standing, rule, now) else FRESH


def _failed(standing: Standing, rule: Breaker, now: datetime) -> Standing:
    since = standing.failing_since or now
    more = replace(standing, failures=min(standing.failures + 1, 1_000_000_000), failing_since=since)
    if standing.state is Circuit.HALF_OPEN:
        return _opened(more, Step.REFUSED, rule, now)
    if standing.state is Circuit.CLOSED and rule.enabled and more.failures >= rule.failures:
        return _opened(more, Step.TRIPPED, rule, now)
    return more


def _opened(standing: Standing, step: Step, rule: Breaker, now: datetime) -> Standing:
    seconds = min(rule.longest, rule.open_for * 2.0 ** min(standing.opened, LONGEST_EXPONENT))
    until = now + timedelta(seconds=seconds)
    return replace(_stepped(standing, step), opened=standing.opened + 1, retry_at=until, closed_at=None)


def _stepped(standing: Standing, step: Step) -> Standing:
    """Raises KeyError for a step that the table does not have."""
    return replace(standing, state=TRANSITIONS[standing.state, step])


def may_probe(standing: Standing, now: datetime) -> bool:
    """Whether its time is over: the one it was open for, or the one a prober had."""
    return standing.state is not Circuit.CLOSED and (standing.retry_at is None or standing.retry_at <= now)


def probed(standing: Standing, *, until: datetime) -> Standing:
    """An engine probes; should it die, another may from `until` on."""
    return replace(_stepped(standing, Step.PROBED), retry_at=until)


def reset(standing: Standing) -> Standing:
    """A person closed it; nothing is remembered."""
    _stepped(standing, Step.RESET)
    return FRESH


def ramping(standing: Standing, rule: Breaker, now: datetime) -> bool:
    """Whether it closed so lately that its pace is still being raised."""
    closed_at = standing.closed_at
    return closed_at is not None and now < closed_at + timedelta(seconds=rule.ramp)


def disables(standing: Standing, now: datetime, after: float | None) -> bool:
    """Whether it has failed for so many seconds without a success that it is given up."""
    since = standing.failing_since
    return since is not None and now - since >= timedelta(seconds=DISABLE_AFTER if after is None else after)


def begun_anew(standing: Standing, now: datetime) -> Standing:
    """A success in between came to light: its failing began with the failure of just now."""
    return replace(standing, failures=1, failing_since=now)


def rising(places: int, elapsed: float, ramp: float) -> int:
    """How many deliveries may be held so many seconds into the ramp."""
    return places if elapsed >= ramp else max(1, int(places * max(0.0, elapsed) / ramp))
