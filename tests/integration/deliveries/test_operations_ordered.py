"""Operations on ordered destinations: what is sent again stands in line, and in the order of the events."""

import pytest

from apps.accounts.models import Project
from apps.deliveries.models import Delivery, Operation, Turn
from apps.deliveries.operations import kinds
from apps.deliveries.operations.advancing import advance
from apps.deliveries.operations.services import operation_create
from apps.deliveries.states import State
from apps.destinations.models import Destination
from tests.integration.cast import ACTOR, a_delivery, a_destination, an_event

pytestmark = pytest.mark.django_db


@pytest.fixture
def ordered(project: Project, monkeypatch: pytest.MonkeyPatch) -> Destination:
    monkeypatch.setattr(kinds, "CHUNK", 4)
    return a_destination(project, ordering="per_key")


def done(ordered: Destination, kind: str) -> Operation:
    asked = {"since": "2000-01-01T00:00:00Z", "destination": ordered.public_id}
    operation = operation_create(project=ordered.project, kind=kind, parameters=asked, actor=ACTOR)
    while advance(operation.pk):
        pass
    operation.refresh_from_db()
    assert operation.state == "completed", operation.error
    return operation


def in_line(ordered: Destination) -> list[object]:
    """The events, as they stand in line."""
    events = dict(Delivery.objects.filter(destination=ordered).values_list("pk", "event_id"))
    return [events[pk] for pk in Turn.objects.order_by("pk").values_list("delivery_id", flat=True)]


def test_a_replayed_time_stands_in_line_as_it_was_accepted(ordered: Destination) -> None:
    """Also where some had been there already, and others had not."""
    events = [an_event(ordered.project, ordering_key="one") for _ in range(10)]
    for event in events[1::3]:
        a_delivery(event, ordered, State.DELIVERED)
    assert done(ordered, "replay").changed == 10
    assert in_line(ordered) == [event.pk for event in events]
    assert Turn.objects.values("key").distinct().count() == 1


def test_what_is_recovered_stands_in_line_again(ordered: Destination) -> None:
    events = [an_event(ordered.project, ordering_key="one") for _ in range(6)]
    for event in events:
        a_delivery(event, ordered, State.DEAD)
    assert done(ordered, "recover").changed == 6
    assert in_line(ordered) == [event.pk for event in events]


def test_others_stand_in_no_line(project: Project) -> None:
    plain = a_destination(project)
    an_event(project, ordering_key="one")
    assert done(plain, "replay").changed == 1
    assert not Turn.objects.exists()
