"""A listener's task: it listens again after a fault, and ends with the block."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import structlog

from apps.deliveries.wakeups.payload import Destinations

AFTER_FAULT = 1.0  # seconds

log = structlog.get_logger("trunkline.engine")


@asynccontextmanager
async def listening_again(
    listen: Callable[[], Awaitable[None]], ring: Callable[[Destinations], None], faults: tuple[type[Exception], ...]
) -> AsyncIterator[bool]:
    """`listen` runs until it raises one of `faults`, and is then begun anew."""
    task = asyncio.create_task(_again(listen, ring, faults))
    try:
        yield True
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _again(
    listen: Callable[[], Awaitable[None]], ring: Callable[[Destinations], None], faults: tuple[type[Exception], ...]
) -> None:
    while True:
        try:
            await listen()
        except faults as error:
            log.warning("engine.wakeups_lost", error=str(error).partition("\n")[0] or repr(error))
        await asyncio.sleep(AFTER_FAULT)
        ring(None)  # what was announced meanwhile was not heard
