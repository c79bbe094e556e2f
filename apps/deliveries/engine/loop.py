"""The engine itself: claims what it has room for, sends it concurrently, settles in sets, and ends cleanly.

However it dies, nothing is lost: what it held is a row in state `sending` with a lease, and a rescuer takes it back.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from django.db import DatabaseError, InterfaceError

from apps.deliveries import store
from apps.deliveries.engine import claimer, expander, heartbeat, rescuer, settler
from apps.deliveries.engine.attempt import Attempted, attempt
from apps.deliveries.engine.claimer import Room
from apps.deliveries.engine.parcel import Parcel
from apps.destinations.kinds import Sender, all_kinds
from apps.kernel.database import DatabaseThread
from apps.kernel.ids import new_uuid

log = structlog.get_logger("trunkline.engine")

type Held = tuple[UUID, UUID]  # a delivery and the claim that holds it


@dataclass(frozen=True, slots=True)
class Pace:
    """How much and how often; seconds where not said otherwise."""

    concurrency: int = 256  # deliveries held at once
    held_bytes: int = 64_000_000  # of their bodies, together
    share: float = 0.25  # of the places that one destination may have: one that hangs leaves the others room
    claim_set: int = 200  # deliveries taken by one claim
    settle_set: int = 500
    lease: timedelta = timedelta(seconds=60)
    idle: float = 0.1  # between two looks when nothing was due
    rescue: float = 5.0
    heartbeat: float = 5.0
    expand: float = 0.25
    grace: float = 20.0  # for what is in flight at shutdown
    after_fault: float = 1.0  # before the database is tried again


class Engine:
    """One engine; `run()` returns after `stop()`, with nothing held any more."""

    def __init__(self, pace: Pace | None = None) -> None:
        self.id = new_uuid()
        self.pace = pace or Pace()
        self._held: dict[Held, Parcel] = {}
        self._behind = False  # with settling, since the database failed
        self._done: asyncio.Queue[Attempted] = asyncio.Queue()
        self._sending: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._room = asyncio.Event()
        self._senders: dict[str, Sender] = {}
        self._fault: BaseException | None = None

    def stop(self) -> None:
        """Claim no more; safe to call from a signal handler of the loop."""
        self._stopping.set()
        self._room.set()

    async def run(self) -> None:
        """Until `stop()`."""
        log.info("engine.started", engine_id=str(self.id), concurrency=self.pace.concurrency)
        async with AsyncExitStack() as stack:
            self._claims = await stack.enter_async_context(DatabaseThread("claims"))
            self._settles = await stack.enter_async_context(DatabaseThread("settles"))
            self._expands = await stack.enter_async_context(DatabaseThread("expands"))
            for name, kind in all_kinds().items():
                self._senders[name] = await stack.enter_async_context(kind.sender())
            await self._run_loops()
        log.info("engine.stopped", engine_id=str(self.id))

    async def _run_loops(self) -> None:
        settling = self._watched(self._settle_loop())
        looking_after = [
            self._watched(self._every(self.pace.rescue, self._rescue)),
            self._watched(self._every(self.pace.heartbeat, self._beat)),
            self._watched(self._every(self.pace.expand, self._expand)),
        ]
        await asyncio.gather(self._watched(self._claim_loop()), return_exceptions=True)
        await _cancelled(*looking_after)
        await self._wind_down()
        await _cancelled(settling)
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

    # Claiming and sending

    async def _claim_loop(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            parcels = await self._guarded(self._claim) or []
            for parcel in parcels:
                self._start(parcel)
            if not parcels:  # a look that was dear is not repeated soon
                await self._pause(max(self.pace.idle, 5 * (time.monotonic() - began)))

    async def _claim(self) -> list[Parcel]:
        await self._wait_for_room()
        if self._stopping.is_set():
            return []
        return await self._claims.run(claimer.run_once, room=self._room_left(), lease=self.pace.lease)

    async def _wait_for_room(self) -> None:
        """Claim only what can be sent at once, so that no lease runs out while a parcel waits."""
        while self._is_full() and not self._stopping.is_set():
            self._room.clear()
            await self._room.wait()

    def _is_full(self) -> bool:
        return len(self._held) >= self.pace.concurrency or (bool(self._held) and self._bytes_left() <= 0)

    def _bytes_left(self) -> int:
        return self.pace.held_bytes - sum(len(parcel.message.body) for parcel in self._held.values())

    def _room_left(self) -> Room:
        return Room(
            places=min(self.pace.claim_set, self.pace.concurrency - len(self._held)),
            bytes=self._bytes_left(),
            share=max(1, int(self.pace.concurrency * self.pace.share)),
            taken=Counter(parcel.destination_id for parcel in self._held.values()),
        )

    def _start(self, parcel: Parcel) -> None:
        self._held[parcel.delivery_id, parcel.claim] = parcel
        task = asyncio.create_task(self._send(parcel))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, parcel: Parcel) -> None:
        self._done.put_nowait(await attempt(parcel, self._senders))

    # Settling

    async def _settle_loop(self) -> None:
        while True:
            attempts = await self._next_done()
            written = False
            while not written:  # a fault waits before it answers
                written = await self._guarded(partial(self._settle, attempts)) or False
                self._behind = not written or (self._behind and not self._done.empty())
            self._done_with(attempts)

    async def _next_done(self) -> list[Attempted]:
        attempts = [await self._done.get()]
        while len(attempts) < self.pace.settle_set and not self._done.empty():
            attempts.append(self._done.get_nowait())
        return attempts

    async def _settle(self, attempts: list[Attempted]) -> bool:
        await self._settles.run(settler.run_once, attempts)
        return True

    def _done_with(self, attempts: list[Attempted]) -> None:
        for one in attempts:
            self._held.pop((one.parcel.delivery_id, one.parcel.claim), None)
            self._done.task_done()
        self._room.set()

    # The side loops

    async def _rescue(self) -> None:
        if self._behind:  # our own leases may be over: first write what was sent, then rescue
            return
        if rescued := await self._settles.run(rescuer.run_once):
            log.warning("deliveries.rescued", count=rescued)

    async def _beat(self) -> None:
        await self._settles.run(heartbeat.beat, self.id, sending=len(self._held))

    async def _expand(self) -> None:
        """Until there is nothing left: each chunk lets the others at the database in between."""
        while not self._stopping.is_set() and await self._expands.run(expander.run_once) is not None:
            pass

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._guarded(work)
            await asyncio.sleep(seconds)

    async def _guarded[R](self, work: Callable[[], Awaitable[R]]) -> R | None:
        """A database that is away for a while is no reason to die: say so, wait, and answer None."""
        try:
            return await work()
        except (DatabaseError, InterfaceError) as error:
            log.error("engine.database_fault", error=str(error).splitlines()[0] if str(error) else repr(error))
            await asyncio.sleep(self.pace.after_fault)
            return None

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    # The end

    async def _wind_down(self) -> None:
        """Let what is in flight end within the grace, write it, and give the rest back."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=self.pace.grace)
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._done.join(), self.pace.grace)
        await self._guarded(self._give_back)

    async def _give_back(self) -> None:
        if self._held:
            given_back = await self._settles.run(store.give_back, list(self._held))
            log.info("deliveries.given_back", count=given_back)
        await self._settles.run(heartbeat.stop, self.id)


async def _cancelled(*tasks: asyncio.Task[None]) -> None:
    """Cancel the tasks and see them end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
