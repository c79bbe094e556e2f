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
from prometheus_client.multiprocess import mark_process_dead

log = structlog.get_logger("trunkline.processes")

GRACE = 25.0  # seconds from SIGTERM to SIGKILL
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before a child that died is started again
STEADY = 60.0  # seconds after which a child counts as healthy again
LOOK = 0.1  # seconds between two looks at the children
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15


class Supervisor:
    """Keeps one process per name running `work`, until SIGTERM or SIGINT."""

    def __init__(self, works: Mapping[str, Callable[[], object]]) -> None:
        self._works = dict(works)
        self._children: dict[int, str] = {}
        self._started: dict[str, float] = {}
        self._pause = dict.fromkeys(works, FIRST_PAUSE)
        self._due = dict.fromkeys(works, 0.0)  # by monotonic time, when each is to be started
        self._stopping = False

    def run(self) -> None:
        """Returns when it was told to stop and every child has ended."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._stop)
        while self._children or not self._stopping:
            self._start_due()
            if not self._reap():
                time.sleep(LOOK)

    def _start_due(self) -> None:
        for name in [name for name, due in self._due.items() if due <= time.monotonic()]:
            if not self._stopping:
                del self._due[name]
                self._start(name)

    def _start(self, name: str) -> None:
        release_connections()
        parent = os.getpid()
        if (pid := os.fork()) == 0:
            run_child(self._works[name], parent, name)
        self._children[pid] = name
        self._started[name] = time.monotonic()
        if self._stopping:  # told to while it was being made
            _send(pid, signal.SIGTERM)

    def _reap(self) -> bool:
        """Whether a child had ended; each is started again after a pause of its own."""
        if not self._children:
            return False
        pid, status = os.waitpid(-1, os.WNOHANG)
        name = self._children.pop(pid, None)
        if name is None:
            return False
        forget_metrics(pid)
        if not self._stopping:
            pause = self._next_pause(name)
            self._due[name] = time.monotonic() + pause
            log.error("process.died", process=name, exit_code=os.waitstatus_to_exitcode(status), restart_in=pause)
        return True

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


def run_child(work: Callable[[], object], parent: int, name: str) -> NoReturn:
    """The child's whole life. It gets SIGTERM should its parent die, however that comes."""
    code = 1
    try:
        call_by_name(name)
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


def call_by_name(name: str) -> None:
    """What `top` and `ps -o comm` show. Linux only, and at most 15 characters."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NAME, f"tl-{name}".encode()[:15])


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


def forget_metrics(pid: int) -> None:
    """A dead process' gauges must not go on counting."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _send(pid: int, signum: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signum)
