"""Which destinations want an event: those of its consumer, and those of nobody in particular."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from apps.destinations.routing.filters import Filter
from apps.destinations.routing.matching import Subscription, subscription
from apps.events.store import EventRow
from apps.intake import catalog
from apps.intake.catalog import Catalog


def wish(number: int, pattern: str, consumer: str = "") -> Subscription:
    return subscription(UUID(int=number), consumer, [pattern], "")


def wanting(known: Catalog, event_type: str, consumer: str) -> list[UUID]:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    data = b"not even JSON: nobody looks at it"
    event = EventRow(UUID(int=9), UUID(int=8), event_type, moment, data, moment, consumer=consumer)
    return known.matched(event).wanting


CATALOG = Catalog(
    version=1,
    types={},
    subscriptions=(wish(1, "*"), wish(2, "invoice.*"), wish(3, "*", "acme"), wish(4, "invoice.*", "globex")),
)
TABLE = [
    ("invoice.paid", "", [1, 2]),  # nobody's in particular: no consumer's own destinations
    ("invoice.paid", "acme", [1, 2, 3]),
    ("invoice.paid", "globex", [1, 2, 4]),
    ("invoice.paid", "ACME", [1, 2]),  # keys are compared exactly
    ("invoice.paid", "unheard-of", [1, 2]),
    ("user.made", "globex", [1]),
]


@pytest.mark.parametrize(("event_type", "consumer", "expected"), TABLE)
def test_table(event_type: str, consumer: str, expected: list[int]) -> None:
    for _ in range(2):  # looked up, then remembered
        assert wanting(CATALOG, event_type, consumer) == [UUID(int=number) for number in expected]


def test_invented_types_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "MOST_TYPES", 3)
    fresh = Catalog(1, {}, (wish(1, "*"),))
    for number in range(10):
        assert wanting(fresh, f"type.{number}", "") == [UUID(int=1)]
    assert len(fresh._by_type) == 3


def test_of_very_many_filters_those_of_ordered_destinations_are_compiled_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are evaluated as the event comes in, whether they were compiled or not."""
    monkeypatch.setattr(catalog, "MOST_FILTERS", 2)
    rows = [(UUID(int=n), "", ["*"], f"event.type == 'of {n}'", n > 3) for n in range(6)]
    wishes = catalog._wishes(rows)
    assert [one.destination_id for one in wishes] == [UUID(int=n) for n in range(6)]
    assert [isinstance(one.filter, Filter) and one.filter.is_compiled for one in wishes] == [False] * 4 + [True] * 2
