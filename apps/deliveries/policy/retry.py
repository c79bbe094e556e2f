"""When a failed delivery is tried again, if at all."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.deliveries.policy.verdict import Verdict
from apps.deliveries.states import Edge

# Seconds from one attempt to the next; the first attempt is made at once (Standard Webhooks 1.0, "Deliverability").
DEFAULT_SCHEDULE = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
JITTER = 0.1


@dataclass(frozen=True, slots=True)
class Decision:
    """The edge to take, and when the delivery is due again where it goes back to ready."""

    edge: Edge
    due_at: datetime | None = None
    disables: bool = False


SUCCEEDED = Decision(Edge.SUCCEEDED)


def decide(
    verdict: Verdict, *, failures: int, now: datetime, random: float, schedule: tuple[int, ...] = DEFAULT_SCHEDULE
) -> Decision:
    """`failures`: failed attempts before this one since the delivery was made or replayed; `random`: in [0, 1)."""
    if verdict.edge is Edge.SUCCEEDED:
        return SUCCEEDED
    if verdict.edge is not Edge.FAILED:
        return Decision(verdict.edge, disables=verdict.disables)
    if failures >= len(schedule):
        return Decision(Edge.EXHAUSTED)
    due_at = now + timedelta(seconds=jittered(schedule[failures], random))
    return Decision(Edge.FAILED, due_at=max(due_at, verdict.not_before or due_at))


def jittered(seconds: float, random: float) -> float:
    """The delay give or take 10 %, so that what failed together does not come back together."""
    return seconds * (1 + JITTER * (2 * random - 1))
