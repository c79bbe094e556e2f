"""A list costs as many queries for twenty rows as for one."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.services import api_key_create, member_add
from apps.deliveries.models import Attempt
from apps.deliveries.operations.services import operation_create
from apps.deliveries.states import State
from apps.destinations.services import consumer_create
from apps.events.services import event_type_create
from apps.kernel.clock import now
from tests.integration.cast import ACTOR, Caller, a_delivery, a_destination, an_event

pytestmark = pytest.mark.django_db
type CountQueries = Callable[[str], AbstractContextManager[None]]


def event(caller: Caller, n: int) -> object:
    return an_event(caller.project)


def event_type(caller: Caller, n: int) -> object:
    return event_type_create(project=caller.project, name=f"type.{n}", schema={"type": "object"}, actor=ACTOR)


def consumer(caller: Caller, n: int) -> object:
    return consumer_create(project=caller.project, key=f"consumer {n}", actor=ACTOR)


def destination(caller: Caller, n: int) -> object:
    return a_destination(caller.project, consumer=f"consumer {n}")


def delivery(caller: Caller, n: int) -> object:
    return a_delivery(an_event(caller.project), a_destination(caller.project), State.DEAD)


def member(caller: Caller, n: int) -> object:
    return member_add(project=caller.project, email=f"{n}@example.com", role="viewer", actor=ACTOR)


def api_key(caller: Caller, n: int) -> object:
    return api_key_create(project=caller.project, name=f"key {n}", actor=ACTOR)


def operation(caller: Caller, n: int) -> object:
    return operation_create(project=caller.project, kind="discard", parameters={}, actor=ACTOR)


LISTS: dict[str, Callable[[Caller, int], Any]] = {
    "events": event,
    "event-types": event_type,
    "consumers": consumer,
    "destinations": destination,
    "deliveries": delivery,
    "members": member,
    "operations": operation,
    "api-keys": api_key,
}


def queries(owner: Caller, path: str, at_least: int) -> int:
    with CaptureQueriesContext(connection) as captured:
        answer = owner.get(path)
    assert len(answer.body["data"]) >= at_least
    return len(captured)


@pytest.mark.parametrize("path", LISTS)
def test_lists(owner: Caller, path: str, count_queries: CountQueries) -> None:
    owner.get(path)  # the first use of a key is noted, once a minute
    LISTS[path](owner, 0)
    one = queries(owner, path, 1)
    for n in range(1, 20):
        LISTS[path](owner, n)
    assert queries(owner, path, 20) == one
    with count_queries(f"api.{path}.list"):
        owner.get(path)


def test_attempts(owner: Caller, count_queries: CountQueries) -> None:
    row = a_delivery(an_event(owner.project), a_destination(owner.project))
    fields = {"outcome": "failed", "response_body": b"", "started_at": now(), "duration_ms": 1}
    Attempt.objects.bulk_create(Attempt(delivery=row, number=number, **fields) for number in range(20))
    owner.get("events")
    with count_queries("api.attempts.list"):
        assert len(owner.get(f"deliveries/{row.public_id}/attempts").body["data"]) == 20


def test_an_events_deliveries(owner: Caller, count_queries: CountQueries) -> None:
    sent = an_event(owner.project)
    for _ in range(20):
        a_delivery(sent, a_destination(owner.project))
    owner.get("events")
    with count_queries("api.events.deliveries.list"):
        assert len(owner.get(f"events/{sent.public_id}/deliveries").body["data"]) == 20
