"""What memory may say of a key, and for how long."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from apps.accounts import credentials, keys
from apps.accounts.credentials import IDLE, MEMORY, SHARED, Credentials
from apps.accounts.key_records import KeyRecord
from apps.kernel.clock import now

KEY = keys.new_key()
RECORD = KeyRecord(
    prefix=KEY.prefix,
    id=UUID(int=1),
    name="k",
    digest=KEY.digest,
    scopes=["events:write"],
    expires_at=None,
    revoked_at=None,
    last_used_at=datetime(2999, 1, 1, tzinfo=UTC),  # noted already
    project_id=UUID(int=2),
    project_name="p",
    require_registered_types=False,
    catalog_version=1,
)


class World:
    """A clock, a table of keys, and credentials that see no other."""

    def __init__(self) -> None:
        self.time, self.changed, self.reads = 1000.0, 0.0, 0
        self.rows = {RECORD.prefix: RECORD}
        self.credentials = Credentials(read=self._read, clock=lambda: self.time, changed=lambda: self.changed)

    def _read(self, prefixes: Iterable[str]) -> dict[str, KeyRecord]:
        self.reads += 1
        return {prefix: self.rows[prefix] for prefix in prefixes if prefix in self.rows}

    def change(self, **fields: object) -> None:
        self.rows[RECORD.prefix] = msgspec.structs.replace(self.rows[RECORD.prefix], **fields)


@pytest.fixture
def world() -> World:
    return World()


def test_memory_is_believed_for_a_moment(world: World) -> None:
    assert world.credentials.known(KEY.text) is None
    assert world.credentials.look_up(KEY.text)
    world.time += MEMORY - 0.01
    found = world.credentials.known(KEY.text)
    assert found is not None
    assert (found.project.pk, found.scopes) == (UUID(int=2), frozenset({"events:write"}))
    world.time += 0.02
    assert world.credentials.known(KEY.text) is None


def test_the_sum_is_less_than_a_second() -> None:
    assert MEMORY + SHARED < 0.9
    assert credentials.REFRESH < MEMORY / 2


def test_a_refresh_keeps_it_alive_with_one_reading(world: World) -> None:
    world.credentials.look_up(KEY.text)
    for _ in range(10):
        world.time += 0.3
        world.credentials.refresh()
        assert world.credentials.known(KEY.text)
    assert world.reads == 11


@pytest.mark.parametrize(
    "change",
    [{"revoked_at": now()}, {"expires_at": now() - timedelta(seconds=1)}, {"digest": "another key by that prefix"}],
    ids=["revoked", "expired", "another"],
)
def test_what_ended_is_forgotten(world: World, change: dict[str, object]) -> None:
    world.credentials.look_up(KEY.text)
    world.change(**change)
    world.credentials.refresh()
    assert world.credentials.known(KEY.text) is None
    assert world.credentials.look_up(KEY.text) is None


def test_an_end_that_comes_while_memory_is_believed(world: World) -> None:
    world.change(expires_at=now() + timedelta(milliseconds=5))
    assert world.credentials.look_up(KEY.text)
    world.credentials._entries[next(iter(world.credentials._entries))].record = msgspec.structs.replace(
        RECORD, expires_at=now() - timedelta(milliseconds=1)
    )
    assert world.credentials.known(KEY.text) is None


def test_a_deleted_key_is_forgotten(world: World) -> None:
    world.credentials.look_up(KEY.text)
    world.rows.clear()
    world.credentials.refresh()
    assert world.credentials.known(KEY.text) is None


def test_scopes_and_settings_follow(world: World) -> None:
    world.credentials.look_up(KEY.text)
    world.change(scopes=[], catalog_version=7, require_registered_types=True)
    world.credentials.refresh()
    found = world.credentials.known(KEY.text)
    assert found is not None
    assert (found.scopes, found.project.catalog_version, found.project.require_registered_types) == (
        frozenset(),
        7,
        True,
    )


def test_nothing_from_before_a_change_is_believed(world: World) -> None:
    """Also not what a reading that began before the change brings after it."""
    world.credentials.look_up(KEY.text)
    world.changed = world.time
    assert world.credentials.known(KEY.text) is None
    world.credentials.refresh()  # at that very moment
    assert world.credentials.known(KEY.text) is None
    world.time += 0.001
    assert world.credentials.look_up(KEY.text)
    assert world.credentials.known(KEY.text)


def test_keys_nobody_uses_are_let_go(world: World) -> None:
    world.credentials.look_up(KEY.text)
    world.time += IDLE + 1
    world.credentials.refresh()
    assert world.credentials._entries == {}


@pytest.mark.parametrize("text", ["", "tl_", KEY.text[:-1], KEY.text + "x", "tl_\udcff", "x" * 10_000], ids=range(6))
def test_what_is_no_key(world: World, text: str) -> None:
    assert world.credentials.known(text) is None
    assert world.credentials.look_up(text) is None
