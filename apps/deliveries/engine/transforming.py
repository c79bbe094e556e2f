"""Transformations on the way out: a sender in front of each kind's own, for the destinations that have one.

The transformation runs in a worker process; the loop goes on meanwhile, and other deliveries with it. One that fails
is an attempt that failed, tried again by the schedule: somebody may mend it until then. One that did not get its turn,
or whose like overran lately, is no attempt at all: it is given back, and its destination left alone for a while.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any
from uuid import UUID

from apps.deliveries.engine.attempt import Postponed
from apps.deliveries.engine.fair_queue import FairQueue, Full
from apps.deliveries.transforming import transformed_message
from apps.destinations.kinds import Message, Outcome, Sender, Target
from apps.destinations.routing.jobs import Transform
from apps.destinations.routing.transforms import TransformFailed, TransformOverran
from apps.destinations.routing.workers import WORKERS, Unavailable

MOST = 3  # overruns in a row
REST = 60.0  # seconds after the last one
REMEMBERED = 1_000
QUEUE = 10.0  # seconds that an attempt waits for its transformation, whatever others have theirs do
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds until one that did not get its turn is tried again


class Transforming:
    """Makes messages by their destinations' transformations; one for all senders of an engine."""

    def __init__(self, threads: ThreadPoolExecutor, places: int = WORKERS) -> None:
        self._threads, self._queue = threads, FairQueue(places)
        self._overruns, self._pauses = Overruns(), Pauses()

    async def made(self, target: Target, message: Message) -> Message:
        """Raises TransformFailed, and Postponed where nothing was tried."""
        assert message.event
        self._check(target)
        try:
            async with asyncio.timeout(QUEUE):
                made = await self._in_turn(message.event.project_id, target, message)
        except (TimeoutError, Unavailable, Full):
            pause = self._pauses.longer(target.id, monotonic())
            raise Postponed(pause, "no worker was free for its transformation") from None
        self._pauses.end(target.id)
        return made

    def _check(self, target: Target) -> None:
        assert target.transform
        if rest := self._overruns.rest(target.id, target.transform, monotonic()):
            raise Postponed(rest, "its transformation took too much lately")

    async def _in_turn(self, project: UUID, target: Target, message: Message) -> Message:
        """Its place is free when its thread is, however long that takes: there is no second queue behind this one."""
        await self._queue.take(project, target.id)
        loop, began = asyncio.get_running_loop(), monotonic()
        try:
            self._check(target)  # others may have overrun meanwhile
            making = self._threads.submit(_made, target, message)
        except (Postponed, RuntimeError) as why:  # a RuntimeError where the engine ends
            self._queue.give(project, 0.0)
            raise why if isinstance(why, Postponed) else Unavailable("the engine ends") from None

        def ended(making: Future[Message]) -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._ended, project, target, making, monotonic() - began)

        making.add_done_callback(ended)
        return await asyncio.wrap_future(making)

    def _ended(self, project: UUID, target: Target, making: Future[Message], seconds: float) -> None:
        """Also where nobody waits for it any more. What it shows must be known before the next one's turn comes."""
        assert target.transform
        if not making.cancelled():
            error = making.exception()
            if isinstance(error, TransformOverran):
                self._overruns.note(target.id, target.transform, monotonic())
            elif error is None:
                self._overruns.end(target.id, target.transform)
        self._queue.give(project, seconds)


class TransformingSender:
    """Has the bodies of destinations with a transformation made, and leaves all else to the sender behind it."""

    def __init__(self, sender: Sender, transforming: Transforming) -> None:
        self._sender, self._transforming = sender, transforming

    def send(self, target: Target, message: Message) -> Coroutine[Any, Any, Outcome]:
        """One attempt."""
        return self._transform(target, message) if target.transform else self._sender.send(target, message)

    async def _transform(self, target: Target, message: Message) -> Outcome:
        began = monotonic()
        try:
            made = await self._transforming.made(target, message)
        except TransformFailed as failure:
            milliseconds = round((monotonic() - began) * 1000)
            return Outcome(error="transform_failed", detail=str(failure), duration_ms=milliseconds)
        return await self._sender.send(target, made)


class Overruns:
    """Which destinations' transformations took too much lately: after MOST times without a success one rests.

    However far apart those were. After its rest it has as many again.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, Transform], tuple[int, float]] = OrderedDict()  # how often, and when last

    def note(self, destination: str, one: Transform, now: float) -> None:
        count, last = self._seen.pop((destination, one), (0, now))
        has_rested = count >= MOST and now - last >= REST
        self._seen[destination, one] = (1 if has_rested else count + 1, now)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def rest(self, destination: str, one: Transform, now: float) -> float:
        """Seconds until it may be tried again, 0 where it may be now."""
        count, last = self._seen.get((destination, one), (0, now))
        return max(0.0, last + REST - now) if count >= MOST else 0.0

    def end(self, destination: str, one: Transform) -> None:
        """It succeeded."""
        if self._seen:
            self._seen.pop((destination, one), None)


class Pauses:
    """For how long destinations are left alone that did not get their turn: twice as long each time in a row."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[float, float]] = OrderedDict()  # how long, and until when

    def longer(self, destination: str, now: float) -> float:
        """Seconds. Those that waited together count once."""
        seconds, until = self._seen.pop(destination, (FIRST_PAUSE / 2, now))
        if now >= until:
            seconds = min(2 * seconds, LONGEST_PAUSE)
            until = now + seconds
        self._seen[destination] = seconds, until
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return until - now

    def end(self, destination: str) -> None:
        if self._seen:
            self._seen.pop(destination, None)


def _made(target: Target, message: Message) -> Message:
    assert target.transform
    assert message.event
    return transformed_message(target.transform, target.policy.payload_format, message.event, message.data)


@contextmanager
def transforming_threads() -> Iterator[ThreadPoolExecutor]:
    """As many as there are workers; they are started when the first transformation is to be done."""
    threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="transforms")
    try:
        yield threads
    finally:
        threads.shutdown(wait=False, cancel_futures=True)  # what they are at is bounded
