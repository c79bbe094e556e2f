"""Several at once: each act in a thread with a database connection of its own, all let go together."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from django.db import connections

PATIENCE = 30.0  # seconds


def at_once[R](acts: Sequence[Callable[[], R]]) -> list[R | Exception]:
    """What each returned or raised, in order."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], R]) -> R | Exception:
        try:
            barrier.wait(PATIENCE)
            return act()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts, timeout=PATIENCE))
