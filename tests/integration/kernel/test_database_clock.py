"""What is the time is the database's to say."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from math import inf
from uuid import UUID

import pytest
from django.core.signals import request_started
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from uuid_utils import compat

from apps.kernel import database_clock, ids
from apps.kernel.clock import Clock, now, steady
from apps.kernel.database import DatabaseThread

HOUR = timedelta(hours=1)
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database("postgresql", "mysql")]


@pytest.fixture(autouse=True)
def ours(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """An hour ahead of the database's, and due to be compared."""
    ours = Clock()
    for module in ("clock", "database_clock", "ids"):
        monkeypatch.setattr(f"apps.kernel.{module}.clock", ours)
    monkeypatch.setattr(database_clock, "next_at", 0.0)
    real, make = time.time, compat.uuid7
    monkeypatch.setattr("time.time", lambda: real() + HOUR.total_seconds())
    monkeypatch.setattr(
        "uuid_utils.compat.uuid7", lambda: UUID(int=make().int + (int(HOUR.total_seconds() * 1_000) << 80))
    )
    return ours


def differs_by() -> timedelta:
    """From this machine's, which is the database's, too."""
    return now() - datetime.now(UTC)


def test_it_is_asked_with_a_threads_next_work() -> None:
    async def work() -> None:
        async with DatabaseThread("clock") as thread:
            assert abs(differs_by() - HOUR) < timedelta(seconds=1)
            await thread.run(lambda: None)

    asyncio.run(work())
    assert abs(differs_by()) < timedelta(seconds=1)


def test_it_is_asked_with_a_new_connection() -> None:
    connections.close_all()
    connection.ensure_connection()
    assert abs(differs_by()) < timedelta(seconds=1)


def test_it_is_asked_with_a_request_where_a_connection_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    connections.close_all()
    request_started.send(None)
    assert abs(differs_by() - HOUR) < timedelta(seconds=1)  # for one that needs no database none is opened
    monkeypatch.setattr(database_clock, "next_at", inf)
    connection.ensure_connection()
    monkeypatch.setattr(database_clock, "next_at", 0.0)
    request_started.send(None)
    assert abs(differs_by()) < timedelta(seconds=1)


def test_ids_tell_the_same_time() -> None:
    database_clock.follow(connection)
    made = [ids.new_uuid() for _ in range(1_000)]
    assert ids.first_id(now() - timedelta(seconds=5)) < made[0] < made[-1] < ids.first_id(now() + timedelta(seconds=5))
    assert made == sorted(made)


def test_it_is_asked_once_in_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    database_clock.follow(connection)
    with CaptureQueriesContext(connection) as asked:
        database_clock.follow(connection)
        assert not len(asked)
        monkeypatch.setattr(database_clock, "next_at", steady())
        database_clock.follow(connection)
        assert len(asked) == 1


def test_a_server_that_can_not_be_asked_leaves_the_clock_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(database_clock.ASK, connection.vendor, "SELECT no_such_thing")
    with pytest.raises(Exception, match="no_such_thing"):
        database_clock.follow(connection)
    assert abs(differs_by() - HOUR) < timedelta(seconds=1)
