"""Transformations on the way out: a sender in front of each kind's own, for the destinations that have one.

The transformation runs in a worker process; the loop goes on meanwhile, and other deliveries with it. One that fails
is an attempt that failed, tried again by the schedule: somebody may mend it until then. One that did not get its turn
is no attempt at all. One that overran lately fails at once for a while: it must not keep others from the workers.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic
from typing import Any

from apps.deliveries.engine.attempt import Postponed
from apps.deliveries.transforming import transformed_message
from apps.destinations.kinds import Message, Outcome, Sender, Target
from apps.destinations.routing.jobs import Transform
from apps.destinations.routing.transforms import TransformFailed, TransformOverran
from apps.destinations.routing.workers import WORKERS, Unavailable

MOST = 3  # overruns
REST = 60.0  # seconds after the last one
REMEMBERED = 1_000
QUEUE = 10.0  # seconds that an attempt waits for its transformation, whatever others have theirs do


class TransformingSender:
    """Makes the bodies of destinations with a transformation, and leaves all others to the sender behind it."""

    def __init__(self, sender: Sender, threads: ThreadPoolExecutor) -> None:
        self._sender, self._threads = sender, threads
        self._overruns = Overruns()

    def send(self, target: Target, message: Message) -> Coroutine[Any, Any, Outcome]:
        """One attempt."""
        return self._transform(target, message) if target.transform else self._sender.send(target, message)

    async def _transform(self, target: Target, message: Message) -> Outcome:
        assert target.transform
        began = monotonic()
        if why := self._overruns.resting(target.transform, began):
            return _failed(why, began)
        try:
            making = asyncio.get_running_loop().run_in_executor(self._threads, _made, target, message)
            made = await asyncio.wait_for(making, QUEUE)
        except (TimeoutError, Unavailable):
            raise Postponed from None
        except TransformFailed as failure:
            if isinstance(failure, TransformOverran):
                self._overruns.note(target.transform, monotonic())
            return _failed(str(failure), began)
        return await self._sender.send(target, made)


class Overruns:
    """Which transformations took too much lately: after MOST of them in a row one rests."""

    def __init__(self) -> None:
        self._seen: OrderedDict[Transform, tuple[int, float]] = OrderedDict()  # how often, and when last

    def note(self, one: Transform, now: float) -> None:
        count, last = self._seen.pop(one, (0, now))
        self._seen[one] = (count + 1 if now - last < REST else 1, now)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def resting(self, one: Transform, now: float) -> str:
        """Why it is not tried now, or nothing."""
        count, last = self._seen.get(one, (0, now))
        return "it took too much lately" if count >= MOST and now - last < REST else ""


def _made(target: Target, message: Message) -> Message:
    assert target.transform
    assert message.event
    return transformed_message(target.transform, target.policy.payload_format, message.event, message.data)


def _failed(detail: str, began: float) -> Outcome:
    return Outcome(error="transform_failed", detail=detail, duration_ms=round((monotonic() - began) * 1000))


@contextmanager
def transforming_threads() -> Iterator[ThreadPoolExecutor]:
    """As many as there are workers; they are started when the first transformation is to be done."""
    threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="transforms")
    try:
        yield threads
    finally:
        threads.shutdown(wait=False, cancel_futures=True)  # what they are at is bounded
