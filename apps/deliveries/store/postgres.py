"""What every delivery costs, on PostgreSQL: one statement a claim, one a settlement.

The planner can't know how many elements an array or a lateral join will give, and where it guesses high it reads the
whole table instead of a few hundred rows by their index. So arrays are hidden from it in subqueries, which it takes for
small, and single rows are fetched under `LIMIT 1`, which can't become a join. tests/…/test_plans.py watches over it.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection

from apps.deliveries.states import FINAL, TRANSITIONS, Edge, State
from apps.deliveries.store import arrays
from apps.deliveries.store.limits import LIMITING
from apps.deliveries.store.rows import Claimed, Look, Settlement
from apps.kernel.ids import new_uuid

MOST_LANES = 10_000  # destinations that a question for the oldest looks at

# A loose index scan: from each destination with something ready straight to the next one, however much waits there.
LANES = """
WITH RECURSIVE lane AS (
    (SELECT destination_id, due_at FROM deliveries_delivery
     WHERE state = 'ready' AND destination_id > %(after)s ORDER BY destination_id, due_at LIMIT 1)
    UNION ALL
    SELECT next.destination_id, next.due_at FROM lane CROSS JOIN LATERAL (
        SELECT d.destination_id, d.due_at FROM deliveries_delivery d
        WHERE d.state = 'ready' AND d.destination_id > lane.destination_id ORDER BY d.destination_id, d.due_at LIMIT 1
    ) next
)"""
# Its breaker is not closed, and not void (store/breakers.py).
BROKEN = """SELECT FROM deliveries_breaker b WHERE b.destination_id = x.id AND b.state <> 'closed'
    AND b.failing_since >= x.status_at"""
CLAIMABLE = """EXISTS (SELECT FROM destinations_destination x WHERE x.id = lane.destination_id
    AND (x.deleted_at IS NOT NULL OR x.status = 'enabled' AND NOT EXISTS ({broken})))"""
WORTH_A_LOOK = CLAIMABLE.format(broken=f"{BROKEN} AND b.retry_at > %(now)s")
FLOWING = CLAIMABLE.format(broken=BROKEN)
DUE = f"""{LANES}, looked_at AS (SELECT * FROM lane LIMIT %(limit)s)
SELECT destination_id, due_at <= %(now)s AND {WORTH_A_LOOK} FROM looked_at lane"""  # noqa: S608 (constants)
OLDEST = f"""{LANES}, looked_at AS (SELECT * FROM lane LIMIT {MOST_LANES})
SELECT min(due_at) FROM looked_at lane WHERE due_at <= %(now)s AND {FLOWING}"""  # noqa: S608 (constants)

CLAIM = f"""
WITH asked AS (
    SELECT lane.destination_id, lane.wanted
    FROM unnest((SELECT %(destinations)s::uuid[]), (SELECT %(wanted)s::int[])) AS lane(destination_id, wanted)
    JOIN destinations_destination x ON x.id = lane.destination_id
    WHERE x.deleted_at IS NOT NULL OR x.status = 'enabled'
        AND (x.id = ANY(%(limited)s) OR NOT x.policy ?| %(limiting)s)
        AND (x.id = ANY(%(probed)s) OR NOT EXISTS ({BROKEN}))
), due AS (
    SELECT ready.id FROM asked CROSS JOIN LATERAL (
        SELECT d.id FROM deliveries_delivery d
        WHERE d.state = 'ready' AND d.destination_id = asked.destination_id AND d.due_at <= %(now)s
        ORDER BY d.due_at LIMIT asked.wanted FOR UPDATE SKIP LOCKED
    ) ready LIMIT %(limit)s
), claimed AS (
    UPDATE deliveries_delivery SET state = 'sending', reason = 'claimed', claim = %(claim)s, lease_until = %(until)s
    WHERE id = ANY(ARRAY(SELECT id FROM due))
    RETURNING id, claim, project_id, event_id, destination_id, attempts, failures, created_at, due_at
)
SELECT claimed.*, event.type, event.time,
    CASE WHEN sum(octet_length(event.data)) OVER upto <= %(bytes)s OR row_number() OVER upto = 1 THEN event.data END,
    event.traceparent
FROM claimed LEFT JOIN LATERAL (
    SELECT e.type, e.time, e.data, e.traceparent FROM events_event e WHERE e.id = claimed.event_id LIMIT 1
) event ON true
WINDOW upto AS (ROWS UNBOUNDED PRECEDING)"""  # noqa: S608 (a constant)

# `claim` is compared and `state` is not: the table's CHECK lets only a sending row have one.
SETTLE = """
WITH done AS (
    SELECT * FROM unnest(
        (SELECT %(ids)s::uuid[]), (SELECT %(claims)s::uuid[]), (SELECT %(states)s::text[]), (SELECT %(edges)s::text[]),
        (SELECT %(due)s::timestamptz[]), (SELECT %(attempts)s::uuid[]), (SELECT %(numbers)s::int[]),
        (SELECT %(codes)s::int[]), (SELECT %(errors)s::text[]), (SELECT %(details)s::text[]),
        (SELECT %(bodies)s::bytea[]), (SELECT %(started)s::timestamptz[]), (SELECT %(durations)s::int[])
    ) WITH ORDINALITY AS one(id, claim, state, edge, due_at, attempt, number, code, error, detail, body, started,
        duration, place)
), written AS (
    UPDATE deliveries_delivery d SET
        state = done.state, reason = done.edge, claim = NULL, lease_until = NULL,
        finished_at = CASE WHEN done.state = ANY(%(final)s) THEN %(now)s END,
        due_at = coalesce(done.due_at, d.due_at),
        attempts = d.attempts + (done.number IS NOT NULL)::int,
        failures = d.failures + (done.number IS NOT NULL AND done.edge = 'failed')::int,
        last_status_code = CASE WHEN done.number IS NULL THEN d.last_status_code ELSE done.code END,
        last_error = CASE WHEN done.number IS NULL THEN d.last_error ELSE done.error END
    FROM done WHERE d.id = done.id AND d.claim = done.claim
    RETURNING done.*
), tried AS (
    INSERT INTO deliveries_attempt (id, delivery_id, number, outcome, status_code, error, detail, response_body,
        started_at, duration_ms)
    SELECT attempt, id, number, edge, code, error, detail, body, started, duration FROM written
    WHERE number IS NOT NULL
)
SELECT place FROM written"""

FIRST = UUID(int=0)
STATES: dict[Edge, str] = {edge: str(target) for (state, edge), target in TRANSITIONS.items() if state is State.SENDING}
LIMITING_KEYS = arrays.texts(LIMITING)


def _execute(statement: str, values: Mapping[str, Any]) -> list[Any]:
    """With the values bound by the server, and rows in binary: Django's cursor would put megabytes into the text."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        arrays.register(cursor.adapters)
        return cursor.execute(statement.encode(), values, binary=True).fetchall()


def due_destinations(*, now: datetime, limit: int, after: UUID | None) -> Look:
    rows = _execute(DUE, {"now": now, "limit": limit, "after": after or FIRST})
    due = [destination_id for destination_id, is_due in rows if is_due]
    return Look(due, rows[-1][0] if len(rows) == limit else None)


def oldest_due(*, now: datetime) -> datetime | None:
    [(moment,)] = _execute(OLDEST, {"now": now, "after": FIRST})
    found: datetime | None = moment
    return found


def claim(
    asked: Mapping[UUID, int],
    *,
    limit: int,
    now: datetime,
    lease_until: datetime,
    bytes_left: int,
    limited: Collection[UUID],
    probed: Collection[UUID],
) -> list[Claimed]:
    values = {
        "limit": limit,
        "destinations": arrays.ids(asked),
        "wanted": arrays.ints(asked.values()),
        "claim": new_uuid(),
        "now": now,
        "until": lease_until,
        "bytes": bytes_left,
        "limited": arrays.ids(limited),
        "limiting": LIMITING_KEYS,
        "probed": arrays.ids(probed),
    }
    return list(map(Claimed._make, _execute(CLAIM, values)))


def settle(settlements: Sequence[Settlement], *, now: datetime) -> list[bool]:
    if not settlements:
        return []
    rows = _execute(SETTLE, {"now": now, "final": list(FINAL), **_columns(settlements, now)})
    places = {place for (place,) in rows}
    return [place in places for place in range(1, len(settlements) + 1)]


def _columns(settlements: Sequence[Settlement], now: datetime) -> dict[str, arrays.Array]:
    edges = [one.edge for one in settlements]
    tries = [one.attempt for one in settlements]
    return {
        "ids": arrays.ids([one.delivery_id for one in settlements]),
        "claims": arrays.ids([one.claim for one in settlements]),
        "states": arrays.texts([STATES[edge] for edge in edges]),
        "edges": arrays.texts(edges),
        "due": arrays.moments([(one.due_at or now) if one.edge is Edge.FAILED else None for one in settlements]),
        "attempts": arrays.uuids([new_uuid().bytes if tried else None for tried in tries]),
        "numbers": arrays.ints([tried and tried.number for tried in tries]),
        "codes": arrays.ints([tried and tried.status_code for tried in tries]),
        "errors": arrays.texts([tried and tried.error for tried in tries]),
        "details": arrays.texts([tried and tried.detail for tried in tries]),
        "bodies": arrays.blobs([tried and tried.response_body for tried in tries]),
        "started": arrays.moments([tried and tried.started_at for tried in tries]),
        "durations": arrays.ints([tried and tried.duration_ms for tried in tries]),
    }
