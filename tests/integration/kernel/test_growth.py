"""On tables grown large, every list, filter and page reads a few hundred blocks, as its plan on PostgreSQL says.

What is asked are the queries of real requests. The engine's own are held to theirs in the tests of the engine.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import Project
from apps.deliveries.models import Delivery
from apps.deliveries.operations.advancing import advance
from apps.deliveries.operations.services import operation_cancel, operation_create
from apps.deliveries.states import State
from apps.destinations.models import Destination
from apps.events.models import Event
from apps.kernel.clock import isoformat
from tests.integration.cast import ACTOR, Caller, a_destination, a_project, caller
from tests.integration.staff import Person, staff, superuser

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database("postgresql")]

EVENTS = 80_000
HOT = {"events_event", "deliveries_delivery", "deliveries_attempt"}
FEW, WALKED = 300, 1_000  # blocks of 8 kB; the second where a page reads a bounded walk
JOINED = 25_000  # and this where each row of the walk looks up another by its key
LOOKED_UP = 8  # and these for each row of a chunk, looked up in two tables by its key
WORDS = ("nothing", "invoice.paid", "acme")

FILL = """
CREATE OR REPLACE FUNCTION pg_temp.id_of(n int, last int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - 60000 * (last - n)::bigint), 12, '0')
            || '7000' || '8' || lpad(to_hex(n), 15, '0'))::uuid $$;
CREATE TEMP TABLE made AS
    SELECT n, pg_temp.id_of(n, %(events)s) AS id, now() - interval '1 minute' * (%(events)s - n) AS at,
           (%(projects)s::uuid[])[whose] AS project, (%(destinations)s::uuid[])[whose] AS destination,
           CASE WHEN n %% 20000 = 7 THEN 'dead' WHEN n %% 20000 = 11 THEN 'cancelled'
                WHEN n %% 20000 = 15 THEN 'sending' WHEN n %% 3 = 0 THEN 'ready' ELSE 'delivered' END AS state
    FROM generate_series(1, %(events)s) n,
         LATERAL (SELECT CASE WHEN n %% 4 = 0 AND n < %(events)s / 2 THEN 5 ELSE 1 + n %% 4 END AS whose) placed;
INSERT INTO events_event (id, project_id, type, source, subject, time, data, consumer, ordering_key, idempotency_key,
                          traceparent, extensions, received_at)
    SELECT id, project, CASE WHEN n %% 20000 = 7 THEN 'rare.type' ELSE 'invoice.paid' END, '', '', at, '{}',
           CASE WHEN n %% 20000 = 7 THEN 'rare' WHEN n %% 2 = 0 THEN 'acme' ELSE '' END, '', 'key ' || n, '', '{}', at
    FROM made;
INSERT INTO events_idempotencykey (id, event_id, fingerprint, created_at)
    SELECT gen_random_uuid(), id, '', at FROM made WHERE n > %(events)s - 20000;
INSERT INTO deliveries_delivery (id, project_id, event_id, destination_id, state, reason, due_at, attempts, failures,
                                 last_status_code, last_error, claim, lease_until, created_at, finished_at)
    SELECT id, project, id, destination, state, '', at, 1, 0, 200, '', CASE WHEN state = 'sending' THEN id END,
           CASE WHEN state = 'sending' THEN at END, at, CASE WHEN state IN ('ready', 'sending') THEN NULL ELSE at END
    FROM made;
INSERT INTO deliveries_attempt (id, delivery_id, number, outcome, status_code, error, detail, response_body,
                                started_at, duration_ms)
    SELECT id, id, 1, 'succeeded', 200, '', '', '', at, 5 FROM made WHERE state <> 'ready';
DROP TABLE made;
"""
# Without the dead rows that other tests leave, which would be counted too.
TIDY = "VACUUM ANALYZE events_event, events_idempotencykey, deliveries_delivery, deliveries_attempt"


@pytest.fixture
def grown(project: Project) -> list[Destination]:
    """Four projects with a destination each and years behind them; newest rows last, of three kinds the rare ones."""
    projects = [project, *(a_project() for _ in range(4))]
    destinations = [a_destination(one) for one in projects]
    ids = {"projects": [one.pk for one in projects], "destinations": [one.pk for one in destinations]}
    with connection.cursor() as cursor:
        cursor.execute(FILL, {"events": EVENTS, **ids})
        cursor.execute(TIDY)
    return destinations


def blocks(queries: list[dict[str, str]]) -> Iterator[tuple[int, str]]:
    """What each query on a large table reads; and what it says, with its plan where that is a bad one."""
    for query in queries:
        sql = query["sql"]
        if sql.startswith("SELECT") and any(f'FROM "{table}"' in sql for table in {*HOT, "events_idempotencykey"}):
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql.replace('%', '%%')}", ())
                plan = cursor.fetchone()[0]
            top = (plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]
            read = top["Shared Hit Blocks"] + top["Shared Read Blocks"]
            scanned = [node for node in nodes(top) if node["Node Type"] == "Seq Scan" and node["Relation Name"] in HOT]
            yield (10**9 if scanned else read), f"{read} blocks: {sql}\n{json.dumps(brief(top))}"


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def brief(plan: dict[str, Any]) -> list[str]:
    return [f"{node['Node Type']} {node.get('Index Name', node.get('Relation Name', ''))}" for node in nodes(plan)]


def too_dear(ask: Any, page: str, most: int) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        answer = ask()
    status = getattr(answer, "status", None) or answer.status_code
    assert status == 200, (page, answer)
    return [f"{page}: {said}" for read, said in blocks(captured.captured_queries) if read > most]


def api_pages(target: Destination) -> dict[str, int]:
    """Each list with each filter, and how many blocks its queries may read."""
    old = Event.objects.filter(project=target.project_id).order_by("pk")[5_000]
    dead = Delivery.objects.filter(project=target.project_id, state=State.DEAD).latest("pk")
    moment = isoformat(old.received_at).replace(":", "%3A")
    delivery, destination, event = dead.public_id, target.public_id, old.public_id
    few = (
        "events", "events?type=rare.type", "events?consumer=rare", "events?type=nothing", "events?consumer=nobody",
        f"events/{event}", f"events/{event}/deliveries",
        "deliveries", "deliveries?state=dead", "deliveries?state=cancelled", "deliveries?state=sending",
        f"deliveries?event={event}", f"deliveries?destination={destination}", f"deliveries/{delivery}",
        f"deliveries/{delivery}/attempts",
    )  # fmt: skip
    walked = (
        "events?idempotency_key=nothing", "events?type=invoice.paid&consumer=nobody",
        f"events?received_after={moment}", f"events?received_before={moment}",
        f"events?type=rare.type&received_before={moment}", f"events?consumer=acme&received_before={moment}",
        "deliveries?state=ready", "deliveries?state=delivered",
        f"deliveries?destination={destination}&state=dead", f"deliveries?destination={destination}&state=ready",
        f"deliveries?created_after={moment}", f"deliveries?created_before={moment}",
        f"deliveries?created_before={moment}&state=dead&destination={destination}",
        "deliveries?state=dead&error=timeout", f"deliveries?state=dead&finished_after={moment}",
        f"deliveries?finished_before={moment}", "deliveries?state=dead&event_type=rare.type&consumer=nobody",
    )  # fmt: skip
    joined = ("deliveries?event_type=nothing", f"deliveries?destination={destination}&consumer=nobody")
    return dict.fromkeys(few, FEW) | dict.fromkeys(walked, WALKED) | dict.fromkeys(joined, JOINED)


def both_orders(pages: dict[str, int]) -> dict[str, int]:
    lists = {page: most for page, most in pages.items() if "_01" not in page.split("?")[0]}
    return pages | {f"{page}{'&' if '?' in page else '?'}ordering=created_at": most for page, most in lists.items()}


def admin_pages(target: Destination, *, twice: bool) -> list[tuple[str, dict[str, str]]]:
    project = str(target.project_id)
    states = [{"state": state.value} for state in State]
    answers = [{"answer": value} for value in ("2", "3", "429", "5", "error", "none")]
    searches = [{"q": text} for text in (target.public_id, target.project.public_id, *WORDS)]
    deliveries = [{}, {"project": project}, {"since": "30d"}, {"last_error": "timeout"}, *states, *answers, *searches]
    deliveries += [{**one, "project": project} for one in (*states, *answers) if twice]
    deliveries += [{"state": "dead", "q": target.public_id}, {"state": "dead", "since": "1h"}]
    events = [{}, {"project": project}, {"since": "1h"}, {"q": "key 5"}, {"q": "rare"}, {"q": target.project.public_id}]
    lists = {"deliveries_delivery": deliveries, "events_event": events, "events_idempotencykey": [{}, {"q": "key 9"}]}
    return [(f"{name}_changelist", query) for name, queries in lists.items() for query in queries] + [("index", {})]


@pytest.mark.timeout(120)
def test_every_list_and_page_reads_little(grown: list[Destination]) -> None:
    target = grown[3]
    api: Caller = caller(target.project)
    people: dict[str, Person] = {
        "superuser": superuser(),
        "staff of one project": staff("one@example.com", target.project),
    }
    dear: list[str] = []
    idle = grown[4]  # long ago one of the busiest
    for page in ("events", "events?type=invoice.paid", "deliveries", f"deliveries?destination={idle.public_id}"):
        dear += too_dear(lambda page=page: caller(idle.project).get(page), f"idle {page}", FEW)
    for page, most in both_orders(api_pages(target)).items():
        dear += too_dear(lambda page=page: api.get(page), page, most)
    for who, person in people.items():
        for name, query in admin_pages(target, twice=who == "superuser"):
            most = JOINED if name == "deliveries_delivery_changelist" and query.get("q") in WORDS else WALKED
            dear += too_dear(lambda p=person, n=name, q=query: p.get(n, **q), f"{who}, {name} {query}", most)
    assert not dear, "\n".join(dear)


def operations(target: Destination) -> list[tuple[str, dict[str, str]]]:
    """Each kind, of all and of little, in a project with years behind it."""
    since, one = {"since": "2000-01-01T00:00:00Z"}, {"destination": target.public_id}
    chosen = [{}, {"event_type": "rare.type"}, {"event_type": "rare.*"}, {"consumer": "rare"}, one]
    dead = [("discard", {"error": "timeout"}), *(("recover", parameters) for parameters in chosen)]
    waiting = [(kind, parameters) for kind in ("retry", "cancel") for parameters in chosen]
    replayed = [("replay", {**more, **parameters}) for parameters in chosen for more in ({}, one)]
    return [(kind, {**since, **parameters}) for kind, parameters in (*dead, *waiting, *replayed)]


@pytest.mark.timeout(120)
def test_a_chunk_of_an_operation_reads_little(grown: list[Destination]) -> None:
    target, dear = grown[3], list[str]()
    for kind, parameters in operations(target):
        made = operation_create(project=target.project, kind=kind, parameters=parameters, actor=ACTOR)
        with CaptureQueriesContext(connection) as captured:
            done = advance(made.pk)
        assert done is not None
        by_key = done.chunk.looked_at * LOOKED_UP
        dear += [f"{kind} {parameters}: {s}" for n, s in blocks(captured.captured_queries) if n > WALKED + by_key]
        if not done.chunk.ended:
            operation_cancel(operation=made, actor=ACTOR)
    assert not dear, "\n".join(dear)
