"""Workers of this process: where filters and transformations run that may take more than they should.

Each is a process of its own (worker.py), started when it is first needed, and so never before a fork. One that uses up
its CPU time is ended by the system, one that does not answer is killed, and another takes its place. It ends with us:
its input closes, and whatever it is at is bounded.
"""

import atexit
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from queue import Empty, LifoQueue

from apps.destinations.routing.jobs import LONGEST, Answer, Failed, Job, decode_answer, encode, framed

ROOT = Path(__file__).resolve().parents[3]
START = 20.0  # seconds that a worker has to be ready in, however busy the machine is
ANSWER = 10.0  # seconds of wall time for an answer; the CPU time is the job's own, and far less
WAIT = 10.0  # seconds that a job waits for a worker


class Overrun(Exception):
    """The job took too much, and would again; the text is for people."""


class Unavailable(Exception):
    """Nothing is known of the job: there was no worker for it, or none that answered."""


class Worker:
    """One process. Not to be shared between threads."""

    def __init__(self) -> None:
        """Raises Unavailable."""
        try:
            self._socket, theirs = socket.socketpair()
        except OSError as error:  # too many files are open
            raise Unavailable(f"no worker could be started: {type(error).__name__}") from error
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "apps.destinations.routing.worker"],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd=ROOT,
                    env={"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"},  # and nothing that we know
                )
        except OSError as error:
            self._socket.close()
            raise Unavailable(f"no worker could be started: {type(error).__name__}") from error
        try:
            self._receive(time.monotonic() + START)
        except (OSError, EOFError) as error:
            self.close()
            raise Unavailable("a worker did not start") from error

    @property
    def pid(self) -> int:
        """Of its process."""
        pid: int = self._process.pid
        return pid

    def run(self, job: Job) -> Answer:
        """Raises Overrun or Unavailable, and is of no use any more then."""
        until = time.monotonic() + ANSWER
        try:
            self._socket.settimeout(ANSWER)
            self._socket.sendall(framed(encode(job)))
            return self._receive(until)
        except TimeoutError:
            raise Unavailable("a worker did not answer") from None
        except (OSError, EOFError):
            raise self._ended(job) from None

    def _receive(self, until: float) -> Answer:
        size = int.from_bytes(self._exactly(4, until), "big")
        if size > LONGEST:
            raise EOFError
        return decode_answer(self._exactly(size, until))

    def _exactly(self, size: int, until: float) -> bytes:
        parts, left = [], size
        while left:
            self._socket.settimeout(max(0.001, until - time.monotonic()))
            part = self._socket.recv(min(left, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def _ended(self, job: Job) -> Exception:
        """Why the process is no more."""
        try:
            code = self._process.wait(1)
        except subprocess.TimeoutExpired:
            return Unavailable("a worker closed its socket")
        if code == -signal.SIGPROF:
            return Overrun(f"took more than {round(job.cpu * 1000)} ms")
        if code in {
            -signal.SIGTERM,
            -signal.SIGINT,
            -signal.SIGHUP,
            -signal.SIGKILL,
        }:  # by somebody else, for all we know
            return Unavailable("a worker was ended")
        return Overrun("needed too much memory")

    def close(self) -> None:
        """Whatever it is at."""
        self._socket.close()
        self._process.kill()
        self._process.wait()


class Workers:
    """Up to `most` of them, shared between threads."""

    def __init__(self, most: int) -> None:
        self._idle: LifoQueue[Worker | None] = LifoQueue()
        self._most = most
        self._fill()
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self._fill_anew)

    def run(self, job: Job, *, wait: float = WAIT) -> Answer:
        """The worker's answer; raises Overrun or Unavailable."""
        try:
            worker = self._idle.get(timeout=wait)
        except Empty:
            raise Unavailable(f"no worker was free for {wait:g} s") from None
        kept = None
        try:
            kept = worker or Worker()
            answer = kept.run(job)
            if isinstance(answer, Failed) and answer.is_last:
                kept.close()
                kept = None
        except BaseException:
            if kept:
                kept.close()
            kept = None
            raise
        finally:
            self._idle.put(kept)
        return answer

    def close(self) -> None:
        """End those that are idle; they come again when they are needed."""
        for _ in range(self._most):
            try:
                worker = self._idle.get_nowait()
            except Empty:
                return
            if worker:
                worker.close()
            self._idle.put(None)

    def _fill(self) -> None:
        for _ in range(self._most):
            self._idle.put(None)

    def _fill_anew(self) -> None:
        """A forked process starts its own: those of its parent answer to the parent."""
        self._idle = LifoQueue()
        self._fill()


WORKERS = 2
workers = Workers(WORKERS)  # of this process
