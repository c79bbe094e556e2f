"""One attempt, from parcel to settlement: send, judge, decide, record. Nothing here touches the database."""

import time
from asyncio import CancelledError
from collections.abc import Mapping
from datetime import datetime
from random import random

import msgspec

from apps.deliveries.engine.parcel import Obstacle, Parcel
from apps.deliveries.policy.retry import Decision, decide
from apps.deliveries.policy.verdict import judge
from apps.deliveries.states import Edge
from apps.deliveries.store import Settlement, Tried
from apps.destinations.kinds import Outcome, Sender
from apps.kernel.clock import now

UNTRIED = frozenset({Edge.CANCELLED, Edge.INTERRUPTED})
GIVEN_BACK = Decision(Edge.INTERRUPTED)


class Postponed(Exception):
    """Nothing was sent, for a reason of ours: it is no attempt. Its destination is to be left alone for so long."""

    def __init__(self, seconds: float, why: str) -> None:
        super().__init__(why)
        self.seconds = seconds


class Attempted(msgspec.Struct, frozen=True):
    """An attempt that was made, with what is to be done about it."""

    parcel: Parcel
    outcome: Outcome
    decision: Decision
    started_at: datetime
    held: float = 0.0  # seconds that it took, with what came before anything was sent
    rest: float = 0.0  # seconds to leave its destination alone

    def settlement(self) -> Settlement:
        """As the store takes it. A cancelled one was never tried, nor one given back."""
        return Settlement(
            delivery_id=self.parcel.delivery_id,
            claim=self.parcel.claim,
            edge=self.decision.edge,
            due_at=self.decision.due_at,
            attempt=None if self.decision.edge in UNTRIED else self._tried(),
        )

    def _tried(self) -> Tried:
        outcome = self.outcome
        return Tried(
            number=self.parcel.number,
            status_code=outcome.status_code,
            error=outcome.error[:32],
            detail=_printable(outcome.detail[:255]),
            response_body=outcome.body,
            started_at=self.started_at,
            duration_ms=outcome.duration_ms,
        )


def _printable(text: str) -> str:
    """Part of it may come from outside, and no database takes every character."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


async def attempt(parcel: Parcel, senders: Mapping[str, Sender]) -> Attempted:
    """Make one attempt. Raises nothing but CancelledError: a parcel without an end would hold its place for ever.

    One whose lease might end before its attempt would is not sent: the engine was stopped, or it waited for too long,
    and another engine may have it soon, or has it already.
    """
    started_at, began = now(), time.monotonic()
    if began > parcel.send_by:
        return Attempted(parcel, Outcome(), GIVEN_BACK, started_at)
    try:
        outcome = await _outcome(parcel, senders)
    except Postponed as why:
        detail, held = Outcome(detail=str(why)), time.monotonic() - began
        return Attempted(parcel, detail, GIVEN_BACK, started_at, held, why.seconds)
    return Attempted(parcel, outcome, _decision(parcel, outcome), started_at, time.monotonic() - began)


async def _outcome(parcel: Parcel, senders: Mapping[str, Sender]) -> Outcome:
    if isinstance(parcel.target, Obstacle):
        return Outcome(error=parcel.target, detail=parcel.target.detail)
    try:
        return await senders[parcel.kind].send(parcel.target, parcel.message)
    except (CancelledError, KeyboardInterrupt, SystemExit, Postponed):
        raise
    except BaseException as error:  # also a panic in a library's native code, which is no Exception
        return Outcome(error="internal_error", detail=f"{type(error).__name__} in the sender")


def _decision(parcel: Parcel, outcome: Outcome) -> Decision:
    """A status decides, also where the rest of the answer did not come in time: the receiver has spoken."""
    if parcel.target is Obstacle.DELETED or parcel.target is Obstacle.EVENT_GONE:
        return Decision(Edge.CANCELLED)
    moment = now()
    verdict = judge(outcome.status_code, outcome.retry_after, moment)
    return decide(
        verdict,
        failures=parcel.failures,
        now=moment,
        random=random(),  # noqa: S311 (jitter)
        terms=parcel.terms,
        until=parcel.until,
    )
