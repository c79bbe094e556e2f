"""An event loop's way to the database: blocking work in threads of its own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connections

log = structlog.get_logger("trunkline.database")


class DatabaseThread:
    """One thread with one connection; what it is given runs one after another.

    `keeps` it for as long as it works: for work that is never idle long enough for a server to hang up.
    """

    def __init__(self, name: str, *, keeps: bool = False) -> None:
        self._run = _kept if keeps else _fresh
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run[**P, R](self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it in the thread, to its end even if the caller is cancelled; raises what it raises."""
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._thread, lambda: self._run(work, *args, **kwargs)))

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


def _fresh[**P, R](work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    close_old_connections()  # one that broke is replaced before it is used
    return work(*args, **kwargs)


def _kept[**P, R](work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    try:
        return work(*args, **kwargs)
    except (DatabaseError, InterfaceError):  # it may be broken: the next work opens another
        connections.close_all()
        raise
