"""The worker process: takes jobs from its standard input, a socket, until that closes. Run by workers.py.

It knows no database and no secret, may open no network connection worth having, and ends by a signal when a job takes
more time than it may: so the job is the only thing that is lost.
"""

import os
import resource
import signal
import socket
import sys
from contextlib import suppress

from apps.destinations.routing.jobs import (
    Answer,
    Check,
    Facts,
    Failed,
    Job,
    Judge,
    Judged,
    Made,
    decode_job,
    encode,
    framed,
)
from apps.destinations.routing.languages import Unusable, compiled
from apps.kernel.errors import Invalid

MEMORY = 400_000_000  # bytes of addresses
LIMITS = {
    resource.RLIMIT_AS: MEMORY,
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_FSIZE: 0,
}


def main() -> None:
    """Until the other side closes."""
    for limit, most in LIMITS.items():
        with suppress(ValueError, OSError):  # where the system sets narrower ones, or none at all
            resource.setrlimit(limit, (most, most))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # meant for who started us, and we end with them
    with socket.socket(fileno=os.dup(sys.stdin.fileno())) as other:
        other.sendall(framed(encode(Made())))  # ready
        while message := _received(other):
            answer = _answer(decode_job(message))
            other.sendall(framed(encode(answer)))
            if isinstance(answer, Failed) and answer.is_last:
                return


def _answer(job: Job) -> Answer:
    signal.setitimer(signal.ITIMER_PROF, job.cpu)  # whose signal, SIGPROF, ends the process
    try:
        return _done(job)
    except Unusable as refusal:
        return Failed(str(refusal))
    except (MemoryError, RecursionError) as error:
        what = "memory" if isinstance(error, MemoryError) else "depth"
        return Failed(f"needs too much {what}", is_last=True)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _done(job: Job) -> Answer:
    if isinstance(job, Judge):
        return _judged(job.filter, job.event)
    program = compiled(job.transform)
    if isinstance(job, Check):
        return Made()
    body = program(job.event)
    if len(body) > job.most:
        raise Unusable(f"the result has {len(body)} bytes, and at most {job.most} are taken")
    return Made(body)


def _judged(text: str, event: Facts) -> Answer:
    from apps.destinations.routing.filters import activation_of, filter_of
    from apps.destinations.routing.subject import Subject

    subject = Subject(
        event.type, event.time, event.data, event.source, event.subject, event.consumer, event.ordering_key
    )
    try:
        verdict = filter_of(text).evaluate(activation_of(subject))
    except (ValueError, Invalid):
        return Judged(holds=False, error="the event has no data")
    return Judged(bool(verdict.holds), verdict.error)


def _received(other: socket.socket) -> bytes:
    """One message, empty at the end."""
    size = _exactly(other, 4)
    return _exactly(other, int.from_bytes(size, "big")) if size else b""


def _exactly(other: socket.socket, size: int) -> bytes:
    parts, left = [], size
    while left and (part := other.recv(min(left, 1 << 20))):
        parts.append(part)
        left -= len(part)
    return b"" if left else b"".join(parts)


if __name__ == "__main__":
    main()
