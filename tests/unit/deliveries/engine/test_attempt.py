"""One attempt: whatever a sender does, there is an outcome, a decision and a settlement."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from apps.deliveries.engine.attempt import Attempted, attempt
from apps.deliveries.engine.parcel import Obstacle, Parcel
from apps.deliveries.states import Edge
from apps.destinations.kinds import Message, Outcome, Target
from apps.kernel.clock import now

PARCEL = Parcel(
    delivery_id=UUID(int=1),
    claim=UUID(int=2),
    project_id=UUID(int=3),
    destination_id=UUID(int=4),
    kind="scripted",
    event_type="invoice.paid",
    number=3,
    failures=2,
    target=Target(id="dst_x", config={}),
    message=Message(id="evt_x", body=b"{}"),
)


class Scripted:
    """A sender that does as it is told."""

    def __init__(self, act: Callable[[], Outcome]) -> None:
        self._act = act
        self.sent = 0

    async def send(self, target: Target, message: Message) -> Outcome:
        self.sent += 1
        return self._act()


def fail(error: BaseException) -> Outcome:
    raise error


async def attempted(outcome: Outcome, parcel: Parcel = PARCEL) -> Attempted:
    return await attempt(parcel, {"scripted": Scripted(lambda: outcome)})


async def test_success() -> None:
    settlement = (await attempted(Outcome(status_code=204, body=b"ok", duration_ms=12))).settlement()
    assert (settlement.delivery_id, settlement.claim) == (PARCEL.delivery_id, PARCEL.claim)
    assert (settlement.edge, settlement.due_at) == (Edge.SUCCEEDED, None)
    row = settlement.attempt
    assert row is not None
    assert (row.number, row.status_code, row.error) == (3, 204, "")
    assert (row.response_body, row.duration_ms) == (b"ok", 12)


async def test_a_failure_is_due_again_by_the_schedule() -> None:
    before = now()
    settlement = (await attempted(Outcome(status_code=500))).settlement()
    assert settlement.edge is Edge.FAILED
    assert settlement.due_at is not None
    waits = settlement.due_at - before
    assert timedelta(seconds=0.9 * 1_800) <= waits <= timedelta(seconds=1.1 * 1_800 + 5)  # the third failure: 30 min


@pytest.mark.parametrize(("status_code", "edge"), [(200, Edge.SUCCEEDED), (410, Edge.REJECTED), (500, Edge.FAILED)])
async def test_a_status_counts_though_the_rest_of_the_answer_never_came(status_code: int, edge: Edge) -> None:
    settlement = (await attempted(Outcome(status_code=status_code, error="timeout"))).settlement()
    assert settlement.edge is edge
    assert settlement.attempt is not None
    assert (settlement.attempt.status_code, settlement.attempt.error) == (status_code, "timeout")


async def test_the_last_failure_exhausts() -> None:
    done = await attempted(Outcome(error="timeout"), replace(PARCEL, failures=7))
    assert (done.decision.edge, done.decision.due_at) == (Edge.EXHAUSTED, None)


async def test_gone_disables() -> None:
    done = await attempted(Outcome(status_code=410))
    assert (done.decision.edge, done.decision.disables) == (Edge.REJECTED, True)


async def test_a_bug_in_a_sender_is_a_failed_attempt_and_tells_no_secret() -> None:
    done = await attempt(PARCEL, {"scripted": Scripted(lambda: fail(KeyError("whsec_secret")))})
    assert (done.decision.edge, done.outcome.error) == (Edge.FAILED, "internal_error")
    assert "KeyError" in done.outcome.detail
    assert "whsec" not in done.outcome.detail


async def test_a_kind_without_a_sender_is_a_failed_attempt() -> None:
    assert (await attempt(PARCEL, {})).decision.edge is Edge.FAILED


class Panic(BaseException):
    """As libraries in other languages raise it: no Exception."""


async def test_a_panic_in_a_library_is_a_failed_attempt() -> None:
    done = await attempt(PARCEL, {"scripted": Scripted(lambda: fail(Panic()))})
    assert (done.decision.edge, done.outcome.error) == (Edge.FAILED, "internal_error")


@pytest.mark.parametrize("end", [asyncio.CancelledError, SystemExit])
async def test_cancellation_passes_through(end: type[BaseException]) -> None:
    with pytest.raises(end):
        await attempt(PARCEL, {"scripted": Scripted(lambda: fail(end()))})


@pytest.mark.parametrize("obstacle", Obstacle)
async def test_what_cannot_be_sent_is_not_sent(obstacle: Obstacle) -> None:
    sender = Scripted(lambda: Outcome(status_code=200))
    done = await attempt(replace(PARCEL, target=obstacle), {"scripted": sender})
    assert sender.sent == 0
    assert done.outcome.error == obstacle
    for_good = obstacle in {Obstacle.DELETED, Obstacle.EVENT_GONE}
    assert done.decision.edge is (Edge.CANCELLED if for_good else Edge.FAILED)
    assert (done.settlement().attempt is None) == for_good  # never tried: no attempt


async def test_whatever_a_sender_says_fits_its_column() -> None:
    """A row the database refuses would leave the delivery to be sent again and again, never counted."""
    done = await attempted(Outcome(status_code=500, error="e" * 100, detail="odd: \x00\x1b\n\ud800" + "d" * 400))
    row = done.settlement().attempt
    assert row is not None
    assert (row.error, len(row.detail)) == ("e" * 32, 255)
    assert row.detail.startswith("odd: ????d")
