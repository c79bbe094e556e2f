"""When a failed delivery is tried again, if at all."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.deliveries.policy.terms import DEFAULT, DEFAULT_SCHEDULE, JITTER, Terms
from apps.deliveries.policy.verdict import Verdict
from apps.deliveries.states import Edge

__all__ = ["DEFAULT_SCHEDULE", "JITTER", "Decision", "decide", "jittered"]


@dataclass(frozen=True, slots=True)
class Decision:
    """The edge to take, and when the delivery is due again where it goes back to ready."""

    edge: Edge
    due_at: datetime | None = None
    disables: bool = False


SUCCEEDED = Decision(Edge.SUCCEEDED)


def decide(
    verdict: Verdict,
    *,
    failures: int,
    now: datetime,
    random: float,
    terms: Terms = DEFAULT,
    until: datetime | None = None,
) -> Decision:
    """`failures`: failed attempts before this one since the delivery was made or replayed; `random`: in [0, 1).

    `until`: no attempt is made after this time, whatever the receiver wishes.
    """
    if verdict.edge is Edge.SUCCEEDED:
        return SUCCEEDED
    if verdict.edge is not Edge.FAILED:
        return Decision(verdict.edge, disables=verdict.disables)
    if failures >= len(terms.waits):
        return Decision(Edge.EXHAUSTED)
    due_at = now + timedelta(seconds=jittered(terms.waits[failures], random, terms.jitter))
    if until is not None and due_at > until:
        return Decision(Edge.EXHAUSTED)
    wished = max(due_at, verdict.not_before or due_at)
    return Decision(Edge.FAILED, due_at=wished if until is None else min(wished, until))


def jittered(seconds: float, random: float, share: float = JITTER) -> float:
    """The delay give or take a share of it, so that what failed together does not come back together."""
    return seconds * (1 + share * (2 * random - 1))
