"""Sets, not rows: a batch costs as many queries as an event."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.integration.cast import Caller, a_destination

pytestmark = pytest.mark.django_db


def inserts(captured: CaptureQueriesContext) -> int:
    # Of many rows Django says "150 times: INSERT INTO …".
    return sum("INSERT" in query["sql"] or query["sql"].startswith("COPY") for query in captured)


@pytest.mark.parametrize("size", [1, 20, 150])
def test_a_batch(owner: Caller, size: int, count_queries: Callable[[str], AbstractContextManager[None]]) -> None:
    for _ in range(3):
        a_destination(owner.project)
    owner.post("events", {"type": "a", "data": 1})  # reads the catalog
    events = [{"type": "a", "data": number, "idempotency_key": f"k{number}"} for number in range(size)]
    with CaptureQueriesContext(connection) as captured, count_queries("intake.batch"):
        assert owner.post("events/batch", {"events": events}).status == 202
    assert inserts(captured) == 3  # keys, events, deliveries


def test_an_event(owner: Caller, count_queries: Callable[[str], AbstractContextManager[None]]) -> None:
    a_destination(owner.project)
    owner.post("events", {"type": "a", "data": 1})
    with count_queries("intake.event"):
        assert owner.post("events", {"type": "a", "data": 1}).status == 202
