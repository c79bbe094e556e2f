"""Transformations that fail, overrun, or don't get their turn."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event as Signal
from uuid import UUID

import pytest

from apps.deliveries.engine import transforming
from apps.deliveries.engine.attempt import Postponed
from apps.deliveries.engine.transforming import MOST, REST, Overruns, TransformingSender
from apps.deliveries.payload import message_of
from apps.destinations.kinds import Event, Message, Outcome, Target
from apps.destinations.policy import PayloadFormat
from apps.destinations.routing.jobs import Transform
from apps.destinations.routing.transforms import TransformOverran
from apps.destinations.routing.workers import Unavailable

TRANSFORM = Transform(jmespath="a")
TARGET = Target("dst_1", {}, transform=TRANSFORM)
EVENT = Event("evt_1", "invoice.paid", datetime(2026, 1, 1, tzinfo=UTC), UUID(int=1))
MESSAGE = message_of(PayloadFormat.STANDARD, EVENT, b'{"a": 1}')


class Sent:
    async def send(self, target: Target, message: Message) -> Outcome:
        return Outcome(status_code=200)


@pytest.fixture
def sender() -> Iterator[TransformingSender]:
    with ThreadPoolExecutor(1) as threads:
        yield TransformingSender(Sent(), threads)


def making(monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[int]:
    calls: list[int] = []

    def made(target: Target, message: Message) -> Message:
        calls.append(1)
        raise error

    monkeypatch.setattr(transforming, "_made", made)
    return calls


async def test_without_a_worker_it_is_no_attempt(sender: TransformingSender, monkeypatch: pytest.MonkeyPatch) -> None:
    making(monkeypatch, Unavailable("none"))
    with pytest.raises(Postponed):
        await sender.send(TARGET, MESSAGE)


async def test_nor_when_it_is_not_its_turn_in_time(sender: TransformingSender, monkeypatch: pytest.MonkeyPatch) -> None:
    done = Signal()
    monkeypatch.setattr(transforming, "QUEUE", 0.05)
    monkeypatch.setattr(transforming, "_made", lambda *_: done.wait(10))
    try:
        with pytest.raises(Postponed):
            await asyncio.gather(sender.send(TARGET, MESSAGE), sender.send(TARGET, MESSAGE))
    finally:
        done.set()


async def test_one_that_overran_rests(sender: TransformingSender, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = making(monkeypatch, TransformOverran("it took more than 0.25 s"))
    outcomes = [await sender.send(TARGET, MESSAGE) for _ in range(MOST + 2)]
    assert {one.error for one in outcomes} == {"transform_failed"}
    assert len(calls) == MOST
    assert outcomes[-1].detail == "it took too much lately"


def test_after_a_while_it_is_tried_again() -> None:
    overruns = Overruns()
    for _ in range(MOST):
        overruns.note(TRANSFORM, 100.0)
    assert overruns.resting(TRANSFORM, 100.0 + REST - 1)
    assert not overruns.resting(TRANSFORM, 100.0 + REST)
    assert not overruns.resting(Transform(jmespath="b"), 100.0)
