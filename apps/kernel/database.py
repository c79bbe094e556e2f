"""An event loop's way to the database: blocking work in threads of its own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Self

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection, connections

from apps.kernel import database_clock

PAUSE = 2.0  # seconds; looking after a connection costs as much as a statement

log = structlog.get_logger("trunkline.database")


class DatabaseThread:
    """One thread with one connection; what it is given runs one after another.

    The connection is looked after before work that comes after a pause: a server may have hung up meanwhile.
    """

    def __init__(self, name: str) -> None:
        self._used = 0.0  # by the monotonic clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run[**P, R](self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it in the thread, to its end even if the caller is cancelled; raises what it raises."""
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._thread, lambda: self._run(work, *args, **kwargs)))

    def _run[**P, R](self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        if monotonic() - self._used > PAUSE:
            close_old_connections()
        try:
            database_clock.follow(connection)
            return work(*args, **kwargs)
        except (DatabaseError, InterfaceError):  # it may be broken: the next work opens another
            connections.close_all()
            raise
        finally:
            self._used = monotonic()

    async def attempted(self, work: Callable[[], object]) -> bool:
        """The same for work that may fail with its database: False then, and a line in the log."""
        try:
            await self.run(work)
        except (DatabaseError, InterfaceError) as error:
            log.error("database.fault", error=str(error).partition("\n")[0])
            return False
        return True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.run(connections.close_all)
        self._thread.shutdown()
