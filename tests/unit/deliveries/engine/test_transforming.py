"""Transformations that fail, overrun, or don't get their turn."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event as Signal
from uuid import UUID

import pytest

from apps.deliveries.engine import transforming
from apps.deliveries.engine.attempt import Postponed
from apps.deliveries.engine.transforming import (
    LONGEST_PAUSE,
    MOST,
    REST,
    Overruns,
    Pauses,
    Transforming,
    TransformingSender,
)
from apps.deliveries.payload import message_of
from apps.destinations.kinds import Event, Message, Outcome, Target
from apps.destinations.policy import PayloadFormat
from apps.destinations.routing.jobs import Transform
from apps.destinations.routing.transforms import TransformFailed, TransformOverran
from apps.destinations.routing.workers import Unavailable

TRANSFORM = Transform(jmespath="a")
TARGET = Target("dst_1", {}, transform=TRANSFORM)
OTHER = replace(TARGET, id="dst_2")
EVENT = Event("evt_1", "invoice.paid", datetime(2026, 1, 1, tzinfo=UTC), UUID(int=1))
MESSAGE = message_of(PayloadFormat.STANDARD, EVENT, b'{"a": 1}')


class Sent:
    async def send(self, target: Target, message: Message) -> Outcome:
        return Outcome(status_code=200)


@pytest.fixture
def sender() -> Iterator[TransformingSender]:
    with ThreadPoolExecutor(1) as threads:
        yield TransformingSender(Sent(), Transforming(threads, places=1))


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


async def test_one_that_timed_out_holds_its_thread_and_its_place_until_it_ends(
    sender: TransformingSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else others would wait behind it in a queue that knows no projects."""
    done, began = Signal(), Signal()

    def made(target: Target, message: Message) -> Message:
        if target is OTHER:
            began.set()
        else:
            done.wait(10)
        return message

    monkeypatch.setattr(transforming, "_made", made)
    monkeypatch.setattr(transforming, "QUEUE", 0.05)
    with pytest.raises(Postponed):
        await sender.send(TARGET, MESSAGE)
    monkeypatch.setattr(transforming, "QUEUE", 10.0)
    second = asyncio.create_task(sender.send(OTHER, MESSAGE))
    await asyncio.sleep(0)
    assert not began.is_set()
    done.set()
    assert (await second).status_code == 200


async def test_one_that_overran_rests_and_costs_the_others_no_attempts(
    sender: TransformingSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = making(monkeypatch, TransformOverran("it took more than 0.25 s"))
    outcomes = [await sender.send(TARGET, MESSAGE) for _ in range(MOST)]
    assert {one.error for one in outcomes} == {"transform_failed"}
    for _ in range(2):
        with pytest.raises(Postponed, match="took too much lately") as postponed:
            await sender.send(TARGET, MESSAGE)
        assert REST - 10 < postponed.value.seconds <= REST
    assert len(calls) == MOST
    assert (await sender.send(OTHER, MESSAGE)).error == "transform_failed"  # another's with the same text was tried
    assert len(calls) == MOST + 1


async def test_those_that_waited_behind_overruns_are_not_tried_either(
    sender: TransformingSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = making(monkeypatch, TransformOverran("it took more than 0.25 s"))
    ended = await asyncio.gather(*(sender.send(TARGET, MESSAGE) for _ in range(MOST + 5)), return_exceptions=True)
    assert len(calls) == MOST
    assert sum(isinstance(one, Postponed) for one in ended) == 5


async def test_it_rests_longer_each_time_until_it_gets_its_turn(
    sender: TransformingSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    making(monkeypatch, Unavailable("none"))
    clock = [100.0]
    monkeypatch.setattr(transforming, "monotonic", lambda: clock[0])
    seen: list[float] = []
    for _ in range(7):
        with pytest.raises(Postponed) as postponed:
            await sender.send(TARGET, MESSAGE)
        seen.append(postponed.value.seconds)
        clock[0] += seen[-1]
    assert seen == [1.0, 2.0, 4.0, 8.0, 16.0, LONGEST_PAUSE, LONGEST_PAUSE]
    monkeypatch.setattr(transforming, "_made", lambda _, message: message)
    await sender.send(TARGET, MESSAGE)
    making(monkeypatch, Unavailable("none"))
    with pytest.raises(Postponed) as postponed:
        await sender.send(TARGET, MESSAGE)
    assert postponed.value.seconds == 1.0


def test_those_that_waited_together_count_once() -> None:
    pauses = Pauses()
    assert [pauses.longer("dst_1", 100.0 + n / 8) for n in range(3)] == [1.0, 0.875, 0.75]
    assert pauses.longer("dst_1", 101.0) == 2.0


def test_after_a_while_it_is_tried_again() -> None:
    overruns = Overruns()
    for _ in range(MOST):
        overruns.note("dst_1", TRANSFORM, 100.0)
    assert overruns.rest("dst_1", TRANSFORM, 100.0 + REST - 1) == 1
    assert not overruns.rest("dst_1", TRANSFORM, 100.0 + REST)
    assert not overruns.rest("dst_1", Transform(jmespath="b"), 100.0), "it was mended"
    assert not overruns.rest("dst_2", TRANSFORM, 100.0)


@pytest.mark.parametrize("apart", [1.0, 59.0, 3600.0])
def test_only_those_in_a_row_count_however_far_apart(apart: float) -> None:
    overruns = Overruns()
    for n in range(MOST):
        assert not overruns.rest("dst_1", TRANSFORM, n * apart)
        overruns.note("dst_1", TRANSFORM, n * apart)
    assert overruns.rest("dst_1", TRANSFORM, (MOST - 1) * apart) == REST
    overruns.end("dst_1", TRANSFORM)
    for n in range(10):
        overruns.note("dst_1", TRANSFORM, n)
        overruns.note("dst_1", TRANSFORM, n)
        assert not overruns.rest("dst_1", TRANSFORM, n)
        overruns.end("dst_1", TRANSFORM)


def test_after_its_rest_it_has_as_many_again() -> None:
    overruns = Overruns()
    for _ in range(MOST):
        overruns.note("dst_1", TRANSFORM, 100.0)
    later = 100.0 + REST
    for _ in range(MOST):
        assert not overruns.rest("dst_1", TRANSFORM, later)
        overruns.note("dst_1", TRANSFORM, later)
    assert overruns.rest("dst_1", TRANSFORM, later) == REST


async def test_a_success_in_between_keeps_it_going(sender: TransformingSender, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(MOST):
        calls = making(monkeypatch, TransformOverran("it took more than 0.25 s"))
        for _ in range(MOST - 1):
            assert (await sender.send(TARGET, MESSAGE)).error == "transform_failed"
        assert len(calls) == MOST - 1
        monkeypatch.setattr(transforming, "_made", lambda _, message: message)
        assert (await sender.send(TARGET, MESSAGE)).status_code == 200


async def test_one_that_is_refused_in_between_is_no_success(
    sender: TransformingSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in [TransformOverran("slow")] * (MOST - 1) + [TransformFailed("no total"), TransformOverran("slow")]:
        making(monkeypatch, error)
        assert (await sender.send(TARGET, MESSAGE)).error == "transform_failed"
    with pytest.raises(Postponed):
        await sender.send(TARGET, MESSAGE)
