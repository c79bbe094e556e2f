"""Tasks that the lane can't do without."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger("trunkline.lane")


def background(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Should it fail, the process must end and be started again, rather than go on and never answer."""
    task = asyncio.create_task(work)
    task.add_done_callback(_end_if_failed)
    return task


def _end_if_failed(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (fault := task.exception()):
        log.critical("lane.broken", exc_info=fault)
        signal.raise_signal(signal.SIGTERM)
