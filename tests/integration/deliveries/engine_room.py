"""An engine in a thread, as `run_engine` runs one in a process, and its log lines as the signal of what it did."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from django.db.models import QuerySet

from apps.deliveries import store
from apps.deliveries.engine.loop import Engine
from apps.deliveries.engine.pace import Pace
from apps.deliveries.models import Delivery
from apps.kernel.clock import now
from apps.kernel.wide import each_line

PATIENCE = 20.0  # seconds until a wait gives up and the test fails
QUICK = Pace(look=0.01, gather_done=0.0, rescue=0.02, heartbeat=0.02, grace=10.0, after_fault=0.01)


class Lines(logging.Handler):
    """The wide log lines of a block, to wait for: they are written after the transaction they tell of."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[dict[str, Any]] = []
        self._changed = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.msg, dict):
            with self._changed:
                self._lines += map(dict, each_line(record.msg))
                self._changed.notify_all()

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self._lines if line["event"] == event]

    def wait_for(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.of(event)) >= count, PATIENCE):
                raise TimeoutError(f"{len(self.of(event))} of {count} lines {event!r} came")
        return self.of(event)


@contextmanager
def watched_lines() -> Iterator[Lines]:
    lines, root = Lines(), logging.getLogger()
    level = root.level
    root.addHandler(lines)
    root.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        root.setLevel(level)
        root.removeHandler(lines)


class Running:
    """One engine, running until the block ends or `stop` is called; raises what the engine raised."""

    def __init__(self, **pace: Any) -> None:
        self.engine = Engine(replace(QUICK, **pace))
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started = threading.Event()

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:
            self._error = error
        finally:
            self._started.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._started.set()
        await self.engine.run()

    def __enter__(self) -> "Running":
        self._thread.start()
        assert self._started.wait(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """As SIGTERM does; returns when the engine has ended."""
        if self._thread.is_alive() and self._loop:
            self._loop.call_soon_threadsafe(self.engine.stop)
        self.join()

    def join(self) -> None:
        """Returns when the engine has ended by itself."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the engine did not end"
        error, self._error = self._error, None
        if error:
            raise error


def run_until(*signals: Callable[[Lines], object], **pace: Any) -> Lines:
    """Run an engine until all signals have come, then stop it; what it was doing is then written."""
    with watched_lines() as lines, Running(**pace):
        for signal in signals:
            signal(lines)
    return lines


def attempted(count: int) -> Callable[[Lines], object]:
    """A signal: so many attempts were made and written."""
    return lambda lines: lines.wait_for("delivery.attempted", count)


def make_due(deliveries: QuerySet[Delivery] | None = None) -> None:
    """As if the time had come."""
    rows = Delivery.objects.all() if deliveries is None else deliveries
    store.hasten(rows, now=now())
