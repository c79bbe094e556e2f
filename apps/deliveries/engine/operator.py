"""Brings operations on: one chunk of the one that waited longest at a time, so that none holds up another."""

import time

from apps.deliveries.engine import telemetry
from apps.deliveries.operations.advancing import Advance, advance_next, tell


def run_once() -> Advance | None:
    """One chunk; None when no operation runs that could get on now."""
    began = time.perf_counter()
    done = advance_next()
    if done is None or done.chunk.is_idle:
        return None
    telemetry.OPERATED.labels(done.operation.kind).inc(done.chunk.changed)
    tell(done, milliseconds=round((time.perf_counter() - began) * 1000))
    return done
