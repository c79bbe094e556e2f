"""Wake-ups by NOTIFY: part of the transaction, and delivered by the database at its commit."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import psycopg
from django.db import connection

from apps.deliveries.wakeups.background import listening_again
from apps.deliveries.wakeups.payload import Destinations, unpack

CHANNEL = "trunkline_due"
DJANGOS_OWN = {"cursor_factory", "context", "prepare_threshold"}  # of its connection's parameters


def notify(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, text])


def listening(ring: Callable[[Destinations], None]) -> AbstractAsyncContextManager[bool]:
    """On a connection of its own, outside any pool: LISTEN belongs to a session."""
    given: dict[str, Any] = connection.get_connection_params()
    params = {name: value for name, value in given.items() if name not in DJANGOS_OWN}

    async def listen() -> None:
        async with await psycopg.AsyncConnection.connect(**params, autocommit=True) as session:
            await session.execute(f"LISTEN {CHANNEL}")
            ring(None)  # what was announced before this was not heard
            async for notification in session.notifies():
                ring(unpack(notification.payload))

    return listening_again(listen, ring, (psycopg.Error, OSError))
