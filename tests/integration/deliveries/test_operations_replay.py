"""Events of a time, delivered again: to one destination, whatever it wants, or to all that want them now."""

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError

from apps.accounts.models import Project
from apps.deliveries.engine import operator
from apps.deliveries.fan_out import expand_next
from apps.deliveries.models import Delivery, FanOut
from apps.deliveries.operations import replaying
from apps.deliveries.operations.advancing import advance
from apps.deliveries.states import Edge, State
from apps.destinations.models import Destination
from apps.destinations.routing.workers import workers
from apps.destinations.services import destination_delete
from apps.events.models import Event
from apps.kernel import bulk
from apps.kernel.clock import isoformat, now
from apps.kernel.errors import Invalid
from tests.integration.cast import ACTOR, a_delivery, a_destination, an_event
from tests.integration.deliveries.operating import asked, done, some, states

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("small_chunks")]


def test_a_time_is_replayed_to_a_new_destination_whatever_it_wants(project: Project) -> None:
    moment = now() - timedelta(days=1)
    events = [an_event(project, received_at=moment + timedelta(minutes=n)) for n in range(10)]
    fresh = a_destination(project, event_types=["user.*"])
    span = {"since": isoformat(events[2].received_at), "until": isoformat(events[8].received_at)}
    operation = asked(project, "replay", destination=fresh.public_id, **span)
    assert done(operation).changed == 6
    made = Delivery.objects.filter(destination=fresh)
    assert set(made.values_list("event_id", flat=True)) == {one.pk for one in events[2:8]}
    assert set(made.values_list("state", "reason")) == {(State.READY, Edge.REPLAYED)}


def test_only_what_it_subscribes_to(project: Project) -> None:
    wanted, _ = an_event(project, type="user.made"), an_event(project, type="invoice.paid")
    fresh = a_destination(project, event_types=["user.*"])
    done(asked(project, "replay", destination=fresh.public_id, only_matching=True))
    assert [row.event_id for row in Delivery.objects.all()] == [wanted.pk]


@pytest.mark.parametrize("patience", [0, 60])
def test_only_what_its_filter_lets_through(project: Project, monkeypatch: pytest.MonkeyPatch, patience: float) -> None:
    """However far a chunk comes, each is judged once."""
    monkeypatch.setattr(replaying, "PATIENCE", patience)
    said = [("user.made", n) for n in (1, 5, 2)] + [("other", 9)] * 3 + [("user.made", n) for n in (7, 3, 8)]
    events = [an_event(project, type=kind, data=f'{{"n": {n}}}'.encode()) for kind, n in said]
    fresh = a_destination(project, event_types=["user.*"], filter="event.data.n > 3")
    operation = asked(project, "replay", destination=fresh.public_id, only_matching=True)
    chunks = 0
    while advance(operation.pk):
        chunks += 1
    operation.refresh_from_db()
    assert (operation.state, operation.processed, operation.changed) == ("completed", 9, 3)
    assert chunks == (6 if patience == 0 else 3)
    made = Delivery.objects.order_by("event_id").values_list("event_id", flat=True)
    assert list(made) == [events[n].pk for n in (1, 6, 8)]


def test_without_a_worker_it_goes_on_later(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    some(a_destination(project), 1)
    an_event(project, data=b'{"lines": [{"price": 250}]}')
    by_worker = "event.data.lines.map(l, l.price).exists(p, p > 100)"
    fresh = a_destination(project, filter=by_worker)
    stuck = asked(project, "replay", destination=fresh.public_id, only_matching=True)
    other = asked(project, "recover")
    workers.close()
    with monkeypatch.context() as patched:
        patched.setattr("apps.destinations.routing.workers.ROOT", tmp_path / "gone")
        assert operator.run_once() is None
        turn = operator.run_once()
        assert turn is not None
        assert turn.operation.pk == other.pk
        assert advance(stuck.pk) is None
    stuck.refresh_from_db()
    assert (stuck.state, stuck.error, stuck.cursor) == ("running", "", None)
    assert done(stuck).state == "completed"
    assert Delivery.objects.filter(destination=fresh).count() == 1
    workers.close()


def test_what_was_delivered_is_delivered_again_and_what_waits_is_left(destination: Destination) -> None:
    rows = {state: some(destination, 1, state, failures=3)[0] for state in State}
    done(asked(destination.project, "replay", destination=destination.public_id))
    for state, row in rows.items():
        row.refresh_from_db()
        expected = (state, 3) if state in {State.READY, State.SENDING} else (State.READY, 0)
        assert (row.state, row.failures) == expected


def test_a_consumers_destination_gets_that_consumers_events_alone(project: Project) -> None:
    acme = an_event(project, consumer="acme")
    for other in ("globex", ""):
        an_event(project, consumer=other)
    theirs = a_destination(project, consumer="acme")
    done(asked(project, "replay", destination=theirs.public_id))
    assert [row.event_id for row in Delivery.objects.all()] == [acme.pk]
    with pytest.raises(Invalid) as refused:
        asked(project, "replay", destination=theirs.public_id, consumer="globex")
    assert refused.value.code == "other_consumer"


def test_a_time_is_replayed_to_all_that_want_it_now(project: Project) -> None:
    events = [an_event(project, type=kind, consumer="acme") for kind in ("user.made", "invoice.paid") * 5]
    users = a_destination(project, event_types=["user.*"])
    everything = a_destination(project, consumer="acme")
    a_destination(project, consumer="globex")
    again = a_delivery(events[0], users, State.DELIVERED)
    operation = done(asked(project, "replay"))
    assert (operation.changed, operation.processed) == (15, 10)
    found = Counter(Delivery.objects.values_list("destination_id", flat=True))
    assert found == {users.pk: 5, everything.pk: 10}
    assert states([again]) == {State.READY: 1}


def test_subject_type_and_consumer_narrow_the_events(project: Project) -> None:
    fields = {"type": "invoice.paid", "consumer": "acme", "subject": "42"}
    wanted = an_event(project, **fields)
    for name in fields:
        an_event(project, **{**fields, name: "other.thing"})
    fresh = a_destination(project)
    for narrowed in (
        {"event_type": "invoice.paid", "consumer": "acme", "subject": "42"},
        {"event_type": "invoice.*", "subject": "42", "consumer": "acme"},
    ):
        Delivery.objects.all().delete()
        done(asked(project, "replay", destination=fresh.public_id, **narrowed))
        assert [row.event_id for row in Delivery.objects.all()] == [wanted.pk]


def test_what_very_many_want_is_left_to_the_fan_out(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few events at a time: those of new events must not have to wait for all of them."""
    monkeypatch.setattr(replaying, "INLINE", 2)
    monkeypatch.setattr(replaying, "MOST_FAN_OUTS", 3)
    events = [an_event(project) for _ in range(5)]
    few = [an_event(project, type="user.made") for _ in range(3)]
    wanting = [a_destination(project, event_types=["invoice.*"]) for _ in range(3)]
    users = a_destination(project, event_types=["user.*"])
    operation = asked(project, "replay")
    while advance(operation.pk) and FanOut.objects.count() < 3:
        pass
    assert set(FanOut.objects.values_list("event_id", "replayed")) == {(one.pk, True) for one in events[:3]}
    idle = advance(operation.pk)
    assert idle is not None
    assert (idle.chunk.is_idle, idle.operation.processed, operator.run_once()) == (True, 3, None)
    while expand_next() is not None:
        advance(operation.pk)
    assert done(operation).changed == len(events) + len(few)
    while expand_next() is not None:
        pass
    made = Counter(Delivery.objects.values_list("destination_id", flat=True))
    assert made == {users.pk: 3, **{one.pk: 5 for one in wanting}}


def test_what_another_made_at_the_same_moment_is_seen_the_second_time(
    destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_event(destination.project)
    operation = asked(destination.project, "replay")
    inserted, calls = bulk.insert, []

    def collides(*args: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise IntegrityError("delivery_once")
        inserted(*args)

    monkeypatch.setattr(bulk, "insert", collides)
    assert done(operation).state == "completed"
    assert Delivery.objects.count() == 1


def test_a_destination_that_is_deleted_meanwhile_ends_it(destination: Destination) -> None:
    an_event(destination.project)
    operation = asked(destination.project, "replay", destination=destination.public_id)
    destination_delete(destination=destination, actor=ACTOR)
    assert (done(operation).state, operation.error) == ("failed", "its destination was deleted")


def test_events_that_were_pruned_meanwhile_are_passed_over(
    destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [an_event(destination.project) for _ in range(3)]
    operation = asked(destination.project, "replay")
    read = replaying.held

    def pruned(ids: Any) -> Any:
        Event.objects.filter(pk=events[1].pk).delete()
        return read(ids)

    monkeypatch.setattr(replaying, "held", pruned)
    assert done(operation).changed == 2
    assert set(Delivery.objects.values_list("event_id", flat=True)) == {events[0].pk, events[2].pk}
