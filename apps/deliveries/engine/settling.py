"""Writes what became of attempts, in sets, as they end."""

import asyncio
from collections.abc import Callable
from functools import partial

from apps.deliveries.engine import settler
from apps.deliveries.engine.attempt import Attempted
from apps.deliveries.engine.known import Known
from apps.deliveries.engine.pace import Pace
from apps.deliveries.engine.patience import patiently
from apps.kernel.database import DatabaseThread


class Settling:
    """One engine's; `settled` is told what was written."""

    def __init__(
        self, pace: Pace, database: DatabaseThread, known: Known, settled: Callable[[list[Attempted]], None]
    ) -> None:
        self.pace, self.database, self.known, self._settled = pace, database, known, settled
        self.behind = False  # since the database failed
        self._done: list[Attempted] = []
        self._some = asyncio.Event()
        self._closing = False

    def add(self, attempted: Attempted) -> None:
        self._done.append(attempted)
        self._some.set()

    def close(self) -> None:
        """No more will be added: `run` ends when all is written."""
        self._closing = True
        self._some.set()

    async def run(self) -> None:
        while True:
            await self._some.wait()
            if not self._closing and len(self._done) < self.pace.settle_set:
                await asyncio.sleep(self.pace.gather_done)
            if not self._done and self._closing:
                return
            attempts, self._done = self._done[: self.pace.settle_set], self._done[self.pace.settle_set :]
            if not self._done and not self._closing:
                self._some.clear()
            await self._write(attempts)

    async def _write(self, attempts: list[Attempted]) -> None:
        while not await patiently(partial(self._settle, attempts), pause=self.pace.after_fault):
            self.behind = True
        self.behind = self.behind and bool(self._done)
        self._settled(attempts)

    async def _settle(self, attempts: list[Attempted]) -> bool:
        try:
            await self.database.run(settler.run_once, attempts, self.known)
        except BaseException:
            self.behind = True  # before any wait: a rescue now would take what is ours
            raise
        return True
