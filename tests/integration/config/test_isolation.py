"""Nothing of one project is visible to another; nothing at all without credentials or scope. Route by route."""

from typing import Any

import pytest

from apps.accounts.models import Project
from apps.accounts.services import member_add
from apps.deliveries.models import Delivery
from apps.deliveries.operations.services import operation_create
from apps.deliveries.states import State
from apps.destinations.services import consumer_create
from apps.events.services import event_type_create
from apps.kernel.clock import now
from tests.integration.cast import ACTOR, Caller, a_delivery, a_destination, an_event, call
from tests.integration.config.routes import Route, routes

pytestmark = pytest.mark.django_db

PUBLIC = {"schema", "docs", "docs/redoc"}  # the documentation of the API, the same for all
GUARDED = [route for route in routes() if route.path not in PUBLIC]
SINGLE = [route for route in GUARDED if "<pk>" in route.path]
LISTS = [route for route in GUARDED if "<pk>" not in route.path and route.action == "list"]
# What a call must say to be let through; a new one that needs a body fails here until it has its own.
BODIES: dict[str, dict[str, Any]] = {
    "PATCH consumers/<pk>": {"name": "Acme"},
    "PATCH members/<pk>": {"role": "viewer"},
    "POST operations": {"kind": "discard"},
    "POST destinations/<pk>/preview": {"event": {"type": "invoice.paid", "data": {}}},
    "POST destinations/<pk>/recover": {"since": "2026-01-01T00:00:00Z"},
}


def ids_in(project: Project) -> dict[str, str]:
    """One row of each kind in the project, by the prefix of its id."""
    event = an_event(project)
    member_add(project=project, email=f"owner-{event.pk}@example.com", role="owner", actor=ACTOR)
    rows: list[Any] = [
        event,
        a_delivery(an_event(project), a_destination(project)),
        a_delivery(an_event(project), a_destination(project), State.DEAD).destination,
        event_type_create(project=project, name="invoice.paid", actor=ACTOR),
        consumer_create(project=project, key="acme", actor=ACTOR),
        member_add(project=project, email=f"member-{event.pk}@example.com", role="developer", actor=ACTOR),
        project.api_keys.last(),
        operation_create(project=project, kind="discard", parameters={}, actor=ACTOR),
    ]
    return {row.public_id.partition("_")[0]: row.public_id for row in rows}


@pytest.mark.parametrize("route", SINGLE, ids=str)
def test_an_id_of_another_project_is_not_there(route: Route, owner: Caller, stranger: Caller) -> None:
    path, body = route.at(ids_in(stranger.project)[route.prefix]), BODIES.get(str(route), {})
    if route.action == "discard":
        Delivery.objects.update(state=State.DEAD, finished_at=now())
    refused = call(route.method, path, body, key=owner.key)
    assert (refused.status, refused.body["code"]) == (404, "not_found"), refused.content
    allowed = call(route.method, path, body, key=stranger.key)
    assert allowed.status < 300, allowed.content  # the call was right; only the caller was wrong


@pytest.mark.parametrize("route", SINGLE, ids=str)
def test_an_id_of_another_kind_is_not_there(route: Route, owner: Caller) -> None:
    ids = ids_in(owner.project)
    for prefix, public_id in ids.items():
        if prefix != route.prefix:
            answer = call(route.method, route.at(public_id), BODIES.get(str(route), {}), key=owner.key)
            assert answer.status == 404, answer.content


@pytest.mark.parametrize("route", LISTS, ids=str)
def test_lists_hold_only_ones_own(route: Route, owner: Caller, stranger: Caller) -> None:
    mine, theirs = ids_in(owner.project)[route.prefix], ids_in(stranger.project)[route.prefix]
    for caller, seen, unseen in ((owner, mine, theirs), (stranger, theirs, mine)):
        found = [row["id"] for row in caller.all(route.path)]
        assert seen in found
        assert unseen not in found


@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_without_credentials_nothing(route: Route) -> None:
    answer = call(route.method, route.at("evt_01h455vb4pex5vsknk084sn02q"), {})
    assert (answer.status, answer.body["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_without_a_scope_nothing(route: Route, powerless: Caller) -> None:
    answer = call(route.method, route.at("evt_01h455vb4pex5vsknk084sn02q"), {}, key=powerless.key)
    assert (answer.status, answer.body["code"]) == (403, "scope_missing")


@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_looking_changes_nothing_and_changing_is_more_than_looking(route: Route, viewer: Caller) -> None:
    answer = call(route.method, route.at("evt_01h455vb4pex5vsknk084sn02q"), {}, key=viewer.key)
    assert (answer.status == 403) == (route.method != "GET"), answer.content


@pytest.mark.parametrize("path", sorted(PUBLIC))
def test_the_documentation_is_for_all(path: str) -> None:
    assert call("GET", path).status == 200


FOREIGN = [
    "deliveries?destination={dst}",
    "deliveries?event={evt}",
    "events?consumer=acme",
    "destinations?consumer=acme",
]


@pytest.mark.parametrize("query", FOREIGN)
def test_filters_reach_no_further(query: str, owner: Caller, stranger: Caller) -> None:
    theirs = ids_in(stranger.project)
    assert owner.get(query.format(**theirs)).body == {"data": [], "next": None}


def test_bodies_reach_no_further(owner: Caller, stranger: Caller) -> None:
    """An id of another project in a body is as unknown as one in the path."""
    theirs, mine = ids_in(stranger.project), ids_in(owner.project)
    answer = owner.post(f"events/{mine['evt']}/replay", {"destination": theirs["dst"]})
    assert (answer.status, answer.faults) == (422, [("/destination", "not_found")])
    wanted = {"url": "http://127.0.0.1:9/", "consumer": theirs["con"]}
    answer = owner.post("destinations", wanted)
    assert (answer.status, answer.faults) == (422, [("/consumer", "not_found")])


def test_there_is_something_to_test() -> None:
    """The walk found what the contract names: were it to find nothing, all of the above would pass."""
    assert {"GET events", "POST events", "POST events/batch", "GET deliveries/<pk>/attempts"} <= set(map(str, GUARDED))
    assert len(SINGLE) > 20
    assert {route.path for route in LISTS} >= {"events", "consumers", "destinations", "api-keys", "members"}
