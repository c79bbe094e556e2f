"""When anything that the fast lane keeps in memory last changed, known at once to all processes of one group.

The page is shared by whatever was forked after this module was loaded, which `serve` sees to. To other hosts, and to
commands run beside it, a change is no news: there it counts once memory is read again, within a second.
"""

import time
from mmap import mmap

from django.db import transaction

_last = memoryview(mmap(-1, 8)).cast("d")


def note_change() -> None:
    """Say so, as of the commit of the transaction around."""
    transaction.on_commit(_note, robust=True)


def last_change() -> float:
    """By the monotonic clock, which all processes of a host share; 0 if there was none."""
    return _last[0]


def _note() -> None:
    _last[0] = time.monotonic()
