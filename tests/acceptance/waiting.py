"""Waiting for what another process does: look again until it is so, or fail by the deadline."""

import time
from collections.abc import Callable

PATIENCE = 20.0  # seconds
PAUSE = 0.02  # seconds between two looks; for costly ones, more


def eventually[T](
    look: Callable[[], T | None],
    *,
    patience: float = PATIENCE,
    pause: float = PAUSE,
    why: Callable[[], object] | None = None,
) -> T:
    """The first true answer of `look`; AssertionError, with what `why` says, when there is none in time."""
    deadline = time.monotonic() + patience
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not so after {patience:g} s: {why() if why else found!r}")
        time.sleep(pause)
    return found
