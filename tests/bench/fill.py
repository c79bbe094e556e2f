"""Fills a database with history by SQL: copies of real rows, so that new columns need no change here."""

import time
from typing import Any

import psycopg

EVENTS, DELIVERIES, ATTEMPTS = "events_event", "deliveries_delivery", "deliveries_attempt"
# UUIDv7 as the application makes them: milliseconds first, so they grow with n. `since` is when n = 0 was, and `salt`
# is one hex digit that keeps history and waiting rows apart.
ID = """(lpad(to_hex({since} + n / 100), 12, '0')
    || '7000{salt}' || lpad(to_hex(n), 15, '0'))::uuid"""
WEEK = 7 * 86_400_000

type Connection = psycopg.Connection[Any]


def fill(connection: Connection, history: int, waiting: int) -> float:
    """So many delivered events, each with delivery and attempt, and so many that wait; the seconds it took.

    `n` runs over rows, and the specimen for row n is n modulo the specimens, of one per destination. Needs both kinds.
    """
    began = time.monotonic()
    for setting in ("synchronous_commit = off", "maintenance_work_mem = '512MB'"):
        connection.execute(f"set {setting}".encode())
    connection.execute(SPECIMENS.encode())
    rebuilt = [statement for table in (EVENTS, DELIVERIES, ATTEMPTS) for statement in _drop_indexes(connection, table)]
    _copy(connection, history, "delivered", "8", WEEK)
    _copy(connection, waiting, "ready", "9", waiting // 100 + 60_000)
    for statement in rebuilt:
        connection.execute(statement.encode())
    for table in (EVENTS, DELIVERIES, ATTEMPTS):
        connection.execute(f"vacuum analyze {table}".encode())
    connection.execute(b"checkpoint")
    return time.monotonic() - began


SPECIMENS = f"""create temporary table specimen as
    select row_number() over (partition by state order by id) - 1 as place,
        count(*) over (partition by state) as places, id, event_id, state from {DELIVERIES}"""


def _copy(connection: Connection, count: int, state: str, salt: str, past: int) -> None:
    """Rows in order of time, as they would have come in."""
    fresh = ID.format(since=time.time_ns() // 1_000_000 - past, salt=salt)  # the same in all three tables
    small = {"data": "'{\"n\":1}'::bytea"} if state == "delivered" else {}
    _insert(connection, EVENTS, "event_id", "id", {"id": fresh, **small}, count, state)
    _insert(connection, DELIVERIES, "id", "id", {"id": fresh, "event_id": fresh}, count, state)
    if state == "delivered":
        _insert(connection, ATTEMPTS, "id", "delivery_id", {"id": fresh, "delivery_id": fresh}, count, state)


def _insert(
    connection: Connection, table: str, mine: str, theirs: str, new: dict[str, str], count: int, state: str
) -> None:
    columns = [row[0] for row in connection.execute(COLUMNS, (table,))]
    values = ", ".join(new.get(column, f'like_it."{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    connection.execute(
        f"""insert into {table} ({names}) select {values} from generate_series(0, {count - 1}) n
        join specimen s on s.place = n % s.places and s.state = '{state}'
        join {table} like_it on like_it.{theirs} = s.{mine} order by n""".encode()
    )


COLUMNS = "select column_name from information_schema.columns where table_name = %s and table_schema = 'public'"
CONSTRAINTS = """select conname, pg_get_constraintdef(oid) from pg_constraint
    where conrelid = %s::regclass and contype in ('p', 'u')"""
INDEXES = "select indexname, indexdef from pg_indexes where tablename = %s and schemaname = 'public'"


def _drop_indexes(connection: Connection, table: str) -> list[str]:
    """The statements that make them again, just as they were."""
    again = []
    for name, definition in connection.execute(CONSTRAINTS, (table,)).fetchall():
        connection.execute(f'alter table {table} drop constraint "{name}"'.encode())
        again.append(f'alter table {table} add constraint "{name}" {definition}')
    for name, definition in connection.execute(INDEXES, (table,)).fetchall():
        connection.execute(f'drop index "{name}"'.encode())
        again.append(definition)
    return again
