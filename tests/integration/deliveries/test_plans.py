"""How PostgreSQL does what every delivery costs: by the indexes made for it, whatever the tables hold."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import Project
from apps.deliveries.models import Delivery, Operation
from apps.deliveries.operations.parameters import Retry
from apps.deliveries.operations.reading import few_waiting as few_waiting_of
from apps.deliveries.states import Edge, State
from apps.deliveries.store import Settlement, Tried, arrays, limits, postgres
from apps.kernel.clock import now
from apps.kernel.ids import encode, new_uuid
from tests.integration.cast import a_destination

pytestmark = [pytest.mark.django_db, pytest.mark.database("postgresql")]
ROWS = 50_000
SET = 500

FILL = """
WITH made AS (
    INSERT INTO events_event (id, project_id, type, source, subject, time, data, consumer, ordering_key,
        idempotency_key, traceparent, extensions, received_at)
    SELECT gen_random_uuid(), %(project)s, 'a', '', '', now(), '{}', '', '', '', '', '{}', now()
    FROM generate_series(1, %(rows)s) RETURNING id
)
INSERT INTO deliveries_delivery (id, project_id, event_id, destination_id, state, reason, due_at, attempts, failures,
    last_error, claim, lease_until, created_at, finished_at)
SELECT gen_random_uuid(), %(project)s, id, (%(destinations)s::uuid[])[1 + row_number() OVER () %% 10], %(state)s, '',
    now(), 0, 0, '', CASE WHEN %(state)s = 'sending' THEN gen_random_uuid() END,
    CASE WHEN %(state)s = 'sending' THEN now() END, now(), CASE WHEN %(state)s = 'delivered' THEN now() END
FROM made"""

HOLDINGS: dict[str, dict[State, int]] = {
    "a backlog": {State.READY: ROWS},
    "a history": {State.DELIVERED: ROWS, State.READY: 20},
    "much in flight": {State.SENDING: 5_000, State.DELIVERED: ROWS},
}


@pytest.fixture(params=[True, False], ids=["analysed", "never analysed"])
def analysed(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(params=list(HOLDINGS.values()), ids=list(HOLDINGS))
def filled(project: Project, request: pytest.FixtureRequest, analysed: bool) -> None:
    destinations = [a_destination(project).pk for _ in range(10)]
    with connection.cursor() as cursor:
        for state, rows in request.param.items():
            values = {"project": project.pk, "rows": rows, "destinations": destinations, "state": state}
            cursor.execute(FILL, values)
        if analysed:
            cursor.execute("ANALYZE deliveries_delivery, events_event, destinations_destination")


def plan(statement: str, values: dict[str, Any]) -> str:
    return "\n".join(line for (line,) in postgres._execute(f"EXPLAIN {statement}", values))


def destinations() -> list[Any]:
    return list(Delivery.objects.order_by().values_list("destination", flat=True).distinct())


def claim() -> str:
    asked = destinations()
    values = {
        "destinations": arrays.ids(asked),
        "wanted": arrays.ints([SET] * len(asked)),
        "claim": new_uuid(),
        "now": now(),
        "until": now(),
        "bytes": 1_000_000,
        "limit": SET,
        "limited": arrays.ids([]),
        "limiting": postgres.LIMITING_KEYS,
        "probed": arrays.ids([]),
    }
    return plan(postgres.CLAIM, values)


def settle() -> str:
    tried = Tried(1, 200, "", "", b"ok", now(), 5)
    settlements = [Settlement(new_uuid(), new_uuid(), Edge.SUCCEEDED, None, tried) for _ in range(SET)]
    columns = postgres._columns(settlements, now())
    return plan(postgres.SETTLE, {"now": now(), "final": ["delivered"], **columns})


def look() -> str:
    return plan(postgres.DUE, {"now": now(), "after": postgres.FIRST, "limit": 1_000})


def oldest() -> str:
    return plan(postgres.OLDEST, {"now": now(), "after": postgres.FIRST})


def rescue() -> str:
    lost = Delivery.objects.filter(state=State.SENDING, lease_until__lt=now()).order_by("lease_until")
    return lost.values_list("pk", flat=True)[:SET].explain()


def cap() -> str:
    held = Delivery.objects.filter(state=State.SENDING, lease_until__gt=limits.EVER, destination__in=destinations())
    return held.order_by().values_list("destination").annotate(count=Count("pk")).explain()


def few_waiting() -> str:
    """By destination and by project: what a retry and a cancel look up beside a history."""
    operation = Operation(project_id=Delivery.objects.all()[0].project_id, kind="retry")
    found: list[str] = []
    for asked in (Retry(), Retry(destination=encode("dst", destinations()[0]))):
        with CaptureQueriesContext(connection) as captured:
            few_waiting_of(operation, asked, 5_000)
        with connection.cursor() as cursor:
            for query in captured.captured_queries:
                cursor.execute(f"EXPLAIN {query['sql']}")
                found += [line for (line,) in cursor.fetchall()]
    return "\n".join(found)


BY: dict[Callable[[], str], set[str]] = {
    claim: {"delivery_lane", "deliveries_delivery_pkey", "events_event_pkey"},
    settle: {"deliveries_delivery_pkey"},
    look: {"delivery_lane"},
    oldest: {"delivery_lane"},
    rescue: {"delivery_leased"},
    cap: {"delivery_leased"},
    few_waiting: {"delivery_lane"},
}


@pytest.mark.usefixtures("filled")
def test_what_every_delivery_costs_goes_by_its_index() -> None:
    for statement, indexes in BY.items():
        found = statement()
        assert "Seq Scan on deliveries" not in found, found
        assert "Seq Scan on events" not in found, found
        assert [name for name in indexes if name not in found] == [], found
