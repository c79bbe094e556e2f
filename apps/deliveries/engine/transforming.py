"""Transformations on the way out: a sender in front of each kind's own, for the destinations that have one.

The transformation runs in a worker process; the loop goes on meanwhile, and other deliveries with it. One that fails
is an attempt that failed, tried again by the schedule: somebody may mend it until then.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic
from typing import Any

from apps.deliveries.transforming import transformed_message
from apps.destinations.kinds import Message, Outcome, Sender, Target
from apps.destinations.routing.transforms import TransformFailed
from apps.destinations.routing.workers import WORKERS

QUEUE = 10.0  # seconds that an attempt waits for its transformation, whatever others have theirs do


class TransformingSender:
    """Makes the bodies of destinations with a transformation, and leaves all others to the sender behind it."""

    def __init__(self, sender: Sender, threads: ThreadPoolExecutor) -> None:
        self._sender, self._threads = sender, threads

    def send(self, target: Target, message: Message) -> Coroutine[Any, Any, Outcome]:
        """One attempt."""
        return self._transform(target, message) if target.transform else self._sender.send(target, message)

    async def _transform(self, target: Target, message: Message) -> Outcome:
        began = monotonic()
        loop = asyncio.get_running_loop()
        try:
            making = loop.run_in_executor(self._threads, _made, target, message)
            made = await asyncio.wait_for(making, QUEUE)
        except TransformFailed as failure:
            return _failed(str(failure), began)
        except TimeoutError:
            return _failed(f"it was not its turn within {QUEUE:g} s", began)
        return await self._sender.send(target, made)


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
