"""Engines and people at the same rows: they lock them in one order, and who loses to another is done again."""

from collections.abc import Callable
from threading import Event
from typing import Any

import pytest
from django.db import OperationalError, transaction

from apps.accounts.models import Project
from apps.deliveries import store
from apps.deliveries.engine import settler
from apps.deliveries.engine.attempt import Attempted
from apps.deliveries.engine.known import Known
from apps.deliveries.engine.parcel import pack
from apps.deliveries.models import Breaker, Delivery
from apps.deliveries.notices import notify
from apps.deliveries.operations.advancing import advance
from apps.deliveries.operations.erasure_request import consumer_erase
from apps.deliveries.policy.retry import Decision
from apps.deliveries.services import delivery_retry, event_replay
from apps.deliveries.states import Edge, State
from apps.deliveries.store import Claimed, edges
from apps.destinations.kinds import Outcome
from apps.destinations.models import Consumer, Destination, Status
from apps.events.models import Event as StoredEvent
from apps.kernel import contention
from apps.kernel.clock import now
from tests.integration.cast import ACTOR, a_delivery, a_destination, an_event
from tests.integration.threads import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database("postgresql", "mysql"),  # SQLite has one writer at a time
]
PATIENCE = 10.0
SHORTLY = 0.3  # PostgreSQL gives up who has waited longest
A_WHILE = 1.0  # for the other to come as far as it can


@pytest.fixture
def destination(project: Project) -> Destination:
    return a_destination(project, ordering="per_key", policy={"disable_after": 60})


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """The transactions that were undone because of another one."""
    found: list[Exception] = []
    judge = contention.is_contention

    def judged(error: Any) -> bool:
        found.append(error)
        return judge(error)

    monkeypatch.setattr(contention, "is_contention", judged)
    return found


def ended(row: Delivery, decision: Decision) -> Attempted:
    at = now()
    claimed = Claimed(
        *(row.pk, row.claim or row.pk, row.project_id, row.event_id, row.destination_id, 0, 0, at, at),
        *("invoice.paid", at, b"{}", ""),
    )
    [parcel] = pack([claimed])
    return Attempted(parcel, Outcome(status_code=410), decision, at)


GONE, FAILED = Decision(Edge.REJECTED, disables=True), Decision(Edge.FAILED)
ACTS: dict[str, Callable[[Delivery], object]] = {
    "retry": lambda row: delivery_retry(delivery=row, actor=ACTOR),
    "replay": lambda row: event_replay(event=row.event, destination_ids=[row.destination_id], actor=ACTOR),
}


@pytest.mark.parametrize("decision", [GONE, FAILED], ids=["gone", "failing"])
@pytest.mark.parametrize("act", ACTS)
def test_a_settle_that_disables_and_a_person_do_not_meet(
    destination: Destination, decision: Decision, act: str, monkeypatch: pytest.MonkeyPatch, lost: list[Exception]
) -> None:
    """Both want the destination's row and the delivery's: the destination's first, or neither ever gets both."""
    Destination.objects.update(status_at="2000-01-01T00:00:00Z")
    Breaker.objects.create(pk=destination.pk, failures=9, failing_since=now().replace(year=2025))
    row = a_delivery(an_event(destination.project), destination, State.SENDING)
    held, settle, keep_off = Event(), store.settle, edges._keep_claims_off
    settling = Event()

    def settle_and_wait(*arguments: Any, **named: Any) -> Any:
        done = settle(*arguments, **named)
        settling.set()
        held.wait(A_WHILE)
        return done

    def keep_off_and_say(*arguments: Any) -> None:
        keep_off(*arguments)
        held.set()

    def person() -> object:
        settling.wait(PATIENCE)
        return ACTS[act](row)

    monkeypatch.setattr(store, "settle", settle_and_wait)
    monkeypatch.setattr(edges, "_keep_claims_off", keep_off_and_say)
    results = at_once([lambda: settler.run_once([ended(row, decision)], Known()), person])
    assert [one for one in (*results, *lost) if isinstance(one, OperationalError)] == []
    assert results[0] is None
    destination.refresh_from_db()
    assert destination.status == Status.DISABLED


def test_a_person_who_lost_to_another_is_served_all_the_same(
    destination: Destination, monkeypatch: pytest.MonkeyPatch, lost: list[Exception]
) -> None:
    """Whoever the other is: here one that takes the two the other way round, and has done so much that it wins."""
    row = a_delivery(an_event(destination.project), destination, State.DEAD)
    others = [a_delivery(an_event(destination.project), destination) for _ in range(50)]
    held, taken, keep_off = Event(), Event(), edges._keep_claims_off

    def keep_off_and_say(*arguments: Any) -> None:
        keep_off(*arguments)
        held.set()

    @transaction.atomic
    def other() -> None:
        Delivery.objects.filter(pk__in=[one.pk for one in others]).update(last_error="timeout")
        Delivery.objects.filter(pk=row.pk).update(last_error="timeout")
        taken.set()
        held.wait(PATIENCE)
        Event().wait(SHORTLY)
        Destination.objects.filter(pk=destination.pk).update(name="another")

    def person() -> object:
        taken.wait(PATIENCE)
        return delivery_retry(delivery=row, actor=ACTOR)

    monkeypatch.setattr(edges, "_keep_claims_off", keep_off_and_say)
    results = at_once([lambda: contention.retried(other), person])
    assert [one for one in results if isinstance(one, Exception)] == []
    assert lost != []
    row.refresh_from_db()
    assert (row.state, row.reason) == (State.READY, Edge.REPLAYED)


def test_an_erasure_waits_for_the_notice_that_names_its_consumer(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who tells of a destination has read it before it was blanked, and holds the delivery until that is written."""
    own = a_destination(project, consumer="acme")
    a_destination(project, operational=True, event_types=["delivery.dead"])
    row = a_delivery(an_event(project), own, State.SENDING)
    told = Event()

    def notify_and_wait(notices: Any) -> None:
        notify(notices)
        assert StoredEvent.objects.filter(consumer="acme").exists()
        told.set()
        Event().wait(A_WHILE)

    def erase() -> object:
        told.wait(PATIENCE)
        operation = consumer_erase(consumer=Consumer.objects.get(), actor=ACTOR)
        while advance(operation.pk):
            pass
        return None

    monkeypatch.setattr(settler, "notify", notify_and_wait)
    results = at_once([lambda: settler.run_once([ended(row, Decision(Edge.REJECTED))], Known()), erase])
    assert results == [None, None]
    assert not Consumer.objects.exists()
    assert not StoredEvent.objects.filter(consumer="acme").exists()
