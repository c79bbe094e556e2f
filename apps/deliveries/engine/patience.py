"""A database that is away for a while is no reason to die."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from django.db import DatabaseError, InterfaceError

log = structlog.get_logger("trunkline.engine")


async def patiently[R](work: Callable[[], Awaitable[R]], *, pause: float) -> R | None:
    """What the work returns; where the database failed it, say so, wait for so many seconds, and answer None."""
    try:
        return await work()
    except (DatabaseError, InterfaceError) as error:
        log.error("engine.database_fault", error=str(error).splitlines()[0] if str(error) else repr(error))
        await asyncio.sleep(pause)
        return None
