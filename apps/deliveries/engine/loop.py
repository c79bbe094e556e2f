"""The engine itself: claims what it has room for, sends it concurrently, settles in sets, and ends cleanly.

However it dies, nothing is lost: what it held is a row in state `sending` with a lease, and a rescuer takes it back.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from typing import Any

import structlog

from apps.deliveries import store, wakeups
from apps.deliveries.engine import expander, heartbeat, operator, pruner, rescuer, telemetry
from apps.deliveries.engine.attempt import Attempted, attempt
from apps.deliveries.engine.claiming import Claiming
from apps.deliveries.engine.hold import Hold
from apps.deliveries.engine.known import Known
from apps.deliveries.engine.pace import Pace
from apps.deliveries.engine.patience import patiently
from apps.deliveries.engine.settling import Settling
from apps.deliveries.engine.transforming import Transforming, TransformingSender, transforming_threads
from apps.deliveries.wakeups.payload import Destinations
from apps.destinations.kinds import Sender, all_kinds
from apps.kernel.database import DatabaseThread
from apps.kernel.ids import new_uuid

log = structlog.get_logger("trunkline.engine")


class Engine:
    """One engine; `run()` returns after `stop()`, with nothing held any more."""

    def __init__(self, pace: Pace | None = None) -> None:
        self.id = new_uuid()
        self.pace = pace or Pace()
        self._hold = Hold(self.pace)
        names = ("claims", "settles", "expands", "prunes")
        self._threads = [DatabaseThread(name) for name in names]
        self._claims, self._settles, self._expands, self._prunes = self._threads
        self._known = Known()
        self._claiming = Claiming(self.pace, self._hold, self._known, self._claims, self._start_waiting)
        self._settling = Settling(self.pace, self._settles, self._known, self._let_go)
        self._sending: set[asyncio.Task[None]] = set()
        self._senders: dict[str, Sender] = {}
        self._stopping = False
        self._other_work = asyncio.Event()
        self._fault: BaseException | None = None

    def stop(self) -> None:
        """Claim no more; safe to call from a signal handler of the loop."""
        self._stopping = True
        self._claiming.stop()

    async def run(self) -> None:
        """Until `stop()`."""
        log.info("engine.started", engine_id=str(self.id), concurrency=self.pace.concurrency)
        async with AsyncExitStack() as stack:
            for thread in self._threads:
                await stack.enter_async_context(thread)
            transforming = Transforming(stack.enter_context(transforming_threads()))
            for name, kind in all_kinds().items():
                sender = await stack.enter_async_context(kind.sender())
                self._senders[name] = TransformingSender(sender, transforming)
            hears = await stack.enter_async_context(wakeups.listening(self._ring))
            await self._run_loops(hears=hears)
        log.info("engine.stopped", engine_id=str(self.id))

    async def _run_loops(self, *, hears: bool) -> None:
        settling = self._watched(self._settling.run())
        looking_after = [
            self._watched(self._claiming.look(hears=hears)),
            self._watched(self._every(self.pace.rescue, self._rescue)),
            self._watched(self._every(self.pace.heartbeat, self._beat)),
            self._watched(self._every(self.pace.learn, self._learn)),
            self._watched(self._expand_loop()),
            self._watched(self._every(self.pace.prune, self._prune)),
        ]
        await asyncio.gather(self._watched(self._claiming.run()), return_exceptions=True)
        await _cancelled(*looking_after)
        await self._wind_down(settling)
        if self._fault:
            raise self._fault

    def _watched(self, loop: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Should a loop fail, the engine must end and be restarted rather than go on without it."""
        task = asyncio.create_task(loop)
        task.add_done_callback(self._end_if_failed)
        return task

    def _end_if_failed(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (fault := task.exception()):
            self._fault = fault
            self.stop()

    def _ring(self, destination_ids: Destinations) -> None:
        self._claiming.ring(destination_ids)
        if destination_ids is None:
            self._other_work.set()

    # Sending

    def _start_waiting(self) -> None:
        """As many as may be in flight."""
        hold = self._hold
        for _ in range(min(len(hold.waiting), self.pace.concurrency - hold.in_flight)):
            hold.in_flight += 1
            task = asyncio.create_task(self._send_waiting())
            self._sending.add(task)
            task.add_done_callback(self._sent)

    async def _send_waiting(self) -> None:
        """One after another for as long as any waits: a task for each would cost more than claiming it did."""
        hold, settling = self._hold, self._settling
        while hold.waiting:
            attempted = await attempt(hold.waiting.popleft(), self._senders)
            hold.ended.append(attempted)
            settling.add(attempted)
            self._claiming.nudge()

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._hold.in_flight -= 1
        self._claiming.nudge()

    def _let_go(self, attempts: list[Attempted]) -> None:
        self._hold.let_go(attempts)
        ended_at = {one.parcel.destination_id for one in attempts}
        self._claiming.written(ended_at)
        if in_line := frozenset(filter(store.known_as_ordered, ended_at)):
            self._claiming.ring(in_line)  # there is somebody next in their lines, perhaps
        self._claiming.nudge()

    # The side loops

    async def _rescue(self) -> None:
        if self._settling.behind:  # our own leases may be over: first write what was sent, then rescue
            return
        if rescued := await self._settles.run(rescuer.run_once):
            log.warning("deliveries.rescued", count=rescued)
            self._claiming.ring(None)

    async def _beat(self) -> None:
        await self._settles.run(heartbeat.beat, self.id, sending=len(self._hold.parcels))

    async def _learn(self) -> None:
        """In the thread that settles: what it has just written of breakers is never replaced by something older."""
        await self._settles.run(self._known.read)
        telemetry.BREAKERS_OPEN.set(self._known.broken)

    async def _expand_loop(self) -> None:
        while True:
            self._other_work.clear()
            await patiently(self._expand, pause=self.pace.after_fault)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._other_work.wait(), self.pace.expand)

    async def _prune(self) -> None:
        """Until nothing is left, at rest as long as at work: the others at the database come first."""
        began = time.monotonic()
        while await self._prunes.run(pruner.run_once) and not self._stopping:
            await asyncio.sleep(time.monotonic() - began)
            began = time.monotonic()

    async def _expand(self) -> None:
        """Fan-outs and operations in turn until nothing is left: each chunk lets the others at the database between."""
        more = True
        while more and not self._stopping:
            made = await self._expands.run(expander.run_once)
            operated = await self._expands.run(operator.run_once)
            more = made is not None or operated is not None

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await patiently(work, pause=self.pace.after_fault)
            await asyncio.sleep(seconds)

    # The end

    async def _wind_down(self, settling: asyncio.Task[None]) -> None:
        """Let what is in flight end within the grace, write it, and give the rest back."""
        self._hold.waiting.clear()
        if self._sending:
            await asyncio.wait(self._sending, timeout=self.pace.grace)
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        self._settling.close()
        await asyncio.wait([settling], timeout=self.pace.grace)
        await _cancelled(settling)
        await patiently(self._give_back, pause=self.pace.after_fault)

    async def _give_back(self) -> None:
        if held := [(parcel.delivery_id, parcel.claim) for parcel in self._hold.parcels]:
            given_back = await self._settles.run(store.give_back, held)
            log.info("deliveries.given_back", count=given_back)
        await self._settles.run(heartbeat.stop, self.id)


async def _cancelled(*tasks: asyncio.Task[None]) -> None:
    """Cancel the tasks and see them end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
