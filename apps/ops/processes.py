"""A process group with a supervisor: children are forked, restarted when they die, and stopped together."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import FrameType
from typing import NoReturn

import structlog
from django.db import connections

log = structlog.get_logger("trunkline.processes")

GRACE = 25.0  # seconds from SIGTERM to SIGKILL
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before a child that died is started again
STEADY = 60.0  # seconds after which a child counts as healthy again
PR_SET_PDEATHSIG = 1


class Supervisor:
    """Keeps one process per name running `work`, until SIGTERM or SIGINT."""

    def __init__(self, works: Mapping[str, Callable[[], object]]) -> None:
        self._works = dict(works)
        self._children: dict[int, str] = {}
        self._started: dict[str, float] = {}
        self._pause = dict.fromkeys(works, FIRST_PAUSE)
        self._stopping = False

    def run(self) -> int:
        """Returns when every child has ended; 0 after a clean stop."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._stop)
        for name in self._works:
            self._start(name)
        while self._children:
            self._reap()
        return 0

    def _start(self, name: str) -> None:
        release_connections()
        parent = os.getpid()
        if (pid := os.fork()) == 0:
            run_child(self._works[name], parent)
        self._children[pid] = name
        self._started[name] = time.monotonic()

    def _reap(self) -> None:
        try:
            pid, status = os.wait()
        except InterruptedError:
            return
        name = self._children.pop(pid, None)
        if name is None or self._stopping:
            return
        pause = self._next_pause(name)
        log.error("process.died", process=name, exit_code=os.waitstatus_to_exitcode(status), restart_in=pause)
        if self._still_running_after(pause):
            self._start(name)

    def _still_running_after(self, seconds: float) -> bool:
        """In small steps: a signal that arrives meanwhile must not have to wait."""
        until = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < until:
            time.sleep(0.1)
        return not self._stopping

    def _next_pause(self, name: str) -> float:
        steady = time.monotonic() - self._started[name] > STEADY
        pause = FIRST_PAUSE if steady else self._pause[name]
        self._pause[name] = min(pause * 2, LONGEST_PAUSE)
        return pause

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        self._stopping = True
        for pid in self._children:
            _send(pid, signal.SIGTERM)
        signal.signal(signal.SIGALRM, self._kill)
        signal.setitimer(signal.ITIMER_REAL, GRACE)

    def _kill(self, signum: int, frame: FrameType | None) -> None:
        for pid in self._children:
            _send(pid, signal.SIGKILL)


def run_child(work: Callable[[], object], parent: int) -> NoReturn:
    """The child's whole life. It gets SIGTERM should its parent die, however that comes."""
    code = 1
    try:
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, signal.SIG_DFL)
        die_with_parent(parent)
        work()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        log.exception("process.failed")
    finally:
        sys.stdout.flush()
        os._exit(code)


def die_with_parent(parent: int) -> None:
    """Linux only; elsewhere an orphan must be stopped by hand."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before we could ask
            os._exit(1)


def release_connections() -> None:
    """No connection and no pool may cross a fork."""
    for connection in connections.all(initialized_only=True):
        connection.close()
        if hasattr(connection, "close_pool"):
            connection.close_pool()


def _send(pid: int, signum: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signum)
