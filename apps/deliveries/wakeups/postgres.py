"""Wake-ups by NOTIFY: part of the transaction, and delivered by the database at its commit."""

import asyncio
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
            await _hear(session, ring)

    return listening_again(listen, ring, (psycopg.Error, OSError))


async def _hear(session: psycopg.AsyncConnection, ring: Callable[[Destinations], None]) -> None:
    """Until the connection is lost. Straight from the socket: psycopg's `notifies()` costs ten times as much each."""
    loop, lost = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()

    def read() -> None:
        try:
            session.pgconn.consume_input()
            while notification := session.pgconn.notifies():
                ring(unpack(notification.extra.decode()))
        except psycopg.Error as error:
            loop.remove_reader(socket)
            lost.set_exception(error)

    socket = session.fileno()
    loop.add_reader(socket, read)
    try:
        await lost
    finally:
        loop.remove_reader(socket)
