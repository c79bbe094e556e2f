"""Wake-ups: heard at the commit, by every engine, and never waited for."""

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from django.db import connection, connections, transaction
from pytest_django import Settings

from apps.deliveries import wakeups
from apps.deliveries.wakeups import sockets
from apps.deliveries.wakeups.payload import Destinations, pack
from apps.kernel.ids import new_uuid

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 10.0
ONE, OTHER = new_uuid(), new_uuid()


@pytest.fixture(autouse=True)
def own_directory(settings: Settings, tmp_path: Path) -> None:
    settings.WAKEUP_DIR = tmp_path / "w"


class Ears:
    """Hears one engine's wake-ups."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Destinations] = asyncio.Queue()

    async def next_of(self, wanted: UUID) -> frozenset[UUID]:
        """The next that names ids, past those that mean anything and those of other tests."""
        while True:
            found = await asyncio.wait_for(self.heard.get(), PATIENCE)
            if found is not None and wanted in found:
                return found


def listen(*says: Callable[[], object], engines: int = 1) -> list[frozenset[UUID]]:
    """What engines hear of the last thing said."""

    async def main() -> list[frozenset[UUID]]:
        ears = [Ears() for _ in range(engines)]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(ear)) for ear in ears]
        return [task.result() for task in tasks]

    ready = asyncio.Barrier(engines)

    async def one(ear: Ears) -> frozenset[UUID]:
        async with wakeups.listening(ear.heard.put_nowait) as hears:
            assert hears
            if connection.vendor == "postgresql" or os.environ.get("REDIS_URL"):
                assert await asyncio.wait_for(ear.heard.get(), PATIENCE) is None  # it listens now
            if await ready.wait() == 0:
                await asyncio.to_thread(speak)
            return await ear.next_of(ONE)

    def speak() -> None:
        for say in says:
            say()
        connections.close_all()

    return asyncio.run(main())


def both() -> None:
    with transaction.atomic():
        wakeups.announce([ONE, OTHER, ONE])


def test_every_engine_hears_which_destinations_it_is_about() -> None:
    assert listen(both, engines=2) == [{ONE, OTHER}] * 2


def rolled_back() -> None:
    with transaction.atomic():
        wakeups.announce([ONE])
        transaction.set_rollback(True)


def test_nothing_is_heard_of_what_did_not_happen() -> None:
    assert listen(rolled_back, both) == [{ONE, OTHER}]


def test_nothing_due_says_nothing() -> None:
    assert listen(lambda: wakeups.announce([]), both) == [{ONE, OTHER}]


def test_on_a_redis_that_is_away_nobody_waits(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    both()


@pytest.mark.database("sqlite")
def test_a_dead_engines_socket_is_cleared_away_and_a_full_one_is_not_waited_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(tmp_path / "dead"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as slow:
        slow.bind(str(tmp_path / "slow"))
        for _ in range(2_000):
            sockets.send(tmp_path, pack([ONE]))
    assert [path.name for path in tmp_path.iterdir()] == ["slow"]


@pytest.mark.database("sqlite")
def test_where_no_socket_can_be_made_the_engine_is_deaf(settings: Settings, tmp_path: Path) -> None:
    settings.REDIS_URL, settings.WAKEUP_DIR = "", tmp_path / ("long" * 40)

    async def hears() -> bool:
        async with wakeups.listening(lambda _: None) as answer:
            return answer

    assert asyncio.run(hears()) is False
