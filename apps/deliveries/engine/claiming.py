"""Claims whenever something is due and there is room for it; looks by itself for what no wake-up told of."""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from random import shuffle
from uuid import UUID

from apps.deliveries import store
from apps.deliveries.engine import claimer
from apps.deliveries.engine.claimer import Catch
from apps.deliveries.engine.hold import Hold
from apps.deliveries.engine.known import Known
from apps.deliveries.engine.lanes import Lanes
from apps.deliveries.engine.pace import Pace
from apps.deliveries.engine.patience import patiently
from apps.deliveries.wakeups.payload import Destinations
from apps.kernel.clock import now
from apps.kernel.database import DatabaseThread

DEAR = 4  # after a look, leave the database alone for so many times what it took


class Claiming:
    """One engine's; `start` sends what waits."""

    def __init__(
        self, pace: Pace, hold: Hold, known: Known, database: DatabaseThread, start: Callable[[], None]
    ) -> None:
        self.pace, self.hold, self.known, self.database, self._start = pace, hold, known, database, start
        self.lanes = Lanes(pace.concurrency)
        self._capped: set[UUID] = set()  # destinations with as much in flight as may be
        self._stopping = self._wants_room = False
        self._nudged = asyncio.Event()
        self._look_due = asyncio.Event()
        self._reached: UUID | None = None  # by looks, which go round

    def stop(self) -> None:
        self._stopping = True
        self._nudged.set()

    def ring(self, destination_ids: Destinations) -> None:
        """A wake-up: these have deliveries due, or some have."""
        if destination_ids is None:
            self._look_due.set()
        else:
            self.lanes.wake(destination_ids)
            self._nudged.set()

    def nudge(self) -> None:
        """There may be room."""
        if self._wants_room and self.hold.room():
            self._nudged.set()

    def written(self, destination_ids: Iterable[UUID]) -> None:
        """Some of these are in flight no more, for other engines neither."""
        if self._capped and (freed := self._capped.intersection(destination_ids)):
            self._capped -= freed
            self.lanes.rested(freed)
            self._nudged.set()

    async def run(self) -> None:
        """Until `stop`."""
        while not self._stopping:
            self._nudged.clear()
            self.hold.account(self.lanes)
            self.lanes.ramps = self.known.ramps
            room = self.hold.room()
            if asked := self.lanes.ask(room, time.monotonic()):
                await self._claim(asked, room)
            else:
                await self._wait()

    async def _claim(self, asked: dict[UUID, int], room: int) -> None:
        catch = await patiently(lambda: self._catch(asked, room), pause=self.pace.after_fault)
        if catch is None:  # they are due still
            self.lanes.wake(asked)
            return
        full = catch.claimed.total() >= room
        tick = time.monotonic()
        self.lanes.gave(catch.asked, catch.claimed, catch.kept, tick, full=full)
        self.lanes.rest({pk: tick + seconds for pk, seconds in catch.rests.items()})
        self.lanes.wake(catch.again)
        self._capped |= catch.capped
        if not catch.parcels and catch.claimed:
            self.hold.typical_is(self.hold.bytes_left + 1)
        self.hold.take(catch.parcels)
        self._start()
        if len(catch.parcels) < min(room, sum(asked.values())) // 2:
            await asyncio.sleep(self.pace.gather)

    async def _catch(self, asked: dict[UUID, int], room: int) -> Catch:
        hold = self.hold
        return await self.database.run(
            claimer.run_once,
            asked=asked,
            limit=room,
            bytes_left=hold.bytes_left,
            alone=not hold.parcels,
            lease=self.pace.lease,
            known=self.known,
        )

    async def _wait(self) -> None:
        """Until something is due, there is room again, or a rest ends."""
        ends = self.lanes.next_rest_ends()
        self._wants_room = True
        with suppress(TimeoutError):
            await asyncio.wait_for(self._nudged.wait(), None if ends is None else max(0.0, ends - time.monotonic()))
        self._wants_room = False

    async def look(self, *, hears: bool) -> None:
        """For ever: see what is due, every so often and when asked to."""
        pause = self.pace.look if hears else self.pace.look_deaf
        while True:
            self._look_due.clear()
            began = time.monotonic()
            await patiently(self._look, pause=self.pace.after_fault)
            await asyncio.sleep(DEAR * (time.monotonic() - began))
            if self._reached is None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._look_due.wait(), pause)

    async def _look(self) -> None:
        """In an order of this engine's own: two that look together must not then meet at every destination."""
        found = await self.database.run(
            store.due_destinations, now=now(), limit=self.pace.look_set, after=self._reached
        )
        self._reached = found.reached
        shuffle(found.due)
        if found.due:
            self.ring(frozenset(found.due))
