"""Wake-ups: whoever makes deliveries due says so, and the engines look at once instead of at their next look.

A hint and no more: a wake-up that is lost costs the engines' idle look, never a delivery.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from apps.deliveries.wakeups import postgres, redis, sockets
from apps.deliveries.wakeups.payload import ALL, Destinations, pack


def announce(destination_ids: Iterable[UUID]) -> None:
    """Say that these have deliveries due, as of the commit of the transaction around; at once where there is none."""
    _say(pack(set(destination_ids)))


def announce_any() -> None:
    """The same of any destinations, or that there is other work for an engine."""
    _say(ALL)


def _say(text: str) -> None:
    if not text:
        return
    if connection.vendor == "postgresql":
        postgres.notify(text)
    else:
        transaction.on_commit(partial(_ring, text), robust=True)


def _ring(text: str) -> None:
    if settings.REDIS_URL:
        redis.publish(settings.REDIS_URL, text)
    else:
        sockets.send(settings.WAKEUP_DIR, text)


def listening(ring: Callable[[Destinations], None]) -> AbstractAsyncContextManager[bool]:
    """While the block lasts, call `ring` in the loop at each wake-up; gives whether any can be heard."""
    if connection.vendor == "postgresql":
        return postgres.listening(ring)
    if settings.REDIS_URL:
        return redis.listening(settings.REDIS_URL, ring)
    return sockets.listening(settings.WAKEUP_DIR, ring)
