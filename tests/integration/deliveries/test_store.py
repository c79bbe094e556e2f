"""Settling and the rest of the store: every write is compare-and-set, and a loser writes nothing."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction

from apps.deliveries import store
from apps.deliveries.models import Attempt, Delivery
from apps.deliveries.policy.rescue import MOST_RESCUES
from apps.deliveries.states import FINAL, TRANSITIONS, Edge, State, advance
from apps.deliveries.store import Settlement, Tried
from apps.destinations.models import Destination
from apps.kernel.clock import now
from apps.kernel.ids import new_uuid
from tests.integration.cast import a_delivery, an_event

pytestmark = pytest.mark.django_db
LATER = timedelta(hours=1)


@pytest.fixture
def sending(destination: Destination) -> Callable[[], Delivery]:
    """Makes deliveries that this engine holds."""
    return lambda: a_delivery(
        an_event(destination.project), destination, State.SENDING, lease_until=now() + LATER, reason=Edge.CLAIMED
    )


def settlement(
    delivery: Delivery, edge: Edge, *, status_code: int | None = 200, number: int = 1, error: str = ""
) -> Settlement:
    assert delivery.claim is not None
    attempt = Tried(number, status_code, error, "", b"ok", now(), 5)
    due_at = now() + LATER if edge is Edge.FAILED else None
    return Settlement(delivery.pk, delivery.claim, edge, due_at, None if edge is Edge.CANCELLED else attempt)


SETTLING = [Edge.SUCCEEDED, Edge.FAILED, Edge.REJECTED, Edge.EXHAUSTED, Edge.CANCELLED]


@pytest.mark.parametrize("edge", SETTLING)
def test_each_edge_writes_its_state_and_lets_go(sending: Callable[[], Delivery], edge: Edge) -> None:
    held, moment = sending(), now()
    settled = settlement(held, edge, status_code=207)
    assert store.settle([settled], now=moment) == [True]
    row = Delivery.objects.get()
    assert (row.state, row.reason) == (advance(State.SENDING, edge), edge)
    assert (row.claim, row.lease_until) == (None, None)
    assert row.finished_at == (moment if row.state in FINAL else None)
    assert row.due_at == (settled.due_at or held.due_at)
    tried = edge is not Edge.CANCELLED
    assert (row.attempts, row.failures) == (int(tried), int(edge is Edge.FAILED))
    assert row.last_status_code == (207 if tried else None)
    assert Attempt.objects.count() == int(tried)


def test_a_set_of_all_sorts_is_written_together(sending: Callable[[], Delivery]) -> None:
    held = [sending() for _ in range(12)]
    settlements = [settlement(one, SETTLING[n % 3], status_code=200 + n % 2) for n, one in enumerate(held)]
    assert store.settle(settlements, now=now()) == [True] * 12
    for settled in settlements:
        row = Delivery.objects.get(pk=settled.delivery_id)
        assert settled.attempt is not None
        assert (row.reason, row.last_status_code) == (settled.edge, settled.attempt.status_code)
        if settled.edge is Edge.FAILED:
            assert row.due_at == settled.due_at  # each its own
    assert Attempt.objects.count() == 12


def test_what_an_attempt_saw_replaces_what_the_last_one_saw(sending: Callable[[], Delivery]) -> None:
    held = sending()
    Delivery.objects.update(last_status_code=500, last_error="", attempts=4, failures=2)
    store.settle([settlement(held, Edge.FAILED, status_code=None, error="timeout", number=5)], now=now())
    row = Delivery.objects.get()
    assert (row.last_status_code, row.last_error, row.attempts, row.failures) == (None, "timeout", 5, 3)


def test_an_untried_one_keeps_what_the_last_attempt_saw(sending: Callable[[], Delivery]) -> None:
    held = sending()
    Delivery.objects.update(last_status_code=500, attempts=4)
    store.settle([settlement(held, Edge.CANCELLED)], now=now())
    row = Delivery.objects.get()
    assert (row.last_status_code, row.attempts, Attempt.objects.count()) == (500, 4, 0)


def rescued_and_claimed_again(held: Delivery) -> None:
    Delivery.objects.filter(pk=held.pk).update(claim=new_uuid())


def rescued(held: Delivery) -> None:
    Delivery.objects.filter(pk=held.pk).update(lease_until=now() - LATER)
    store.rescue(now=now(), limit=10)


def cancelled(held: Delivery) -> None:
    store.cancel(Delivery.objects.filter(pk=held.pk), now=now())


def gone(held: Delivery) -> None:
    Delivery.objects.filter(pk=held.pk).delete()


@pytest.mark.parametrize("meanwhile", [rescued_and_claimed_again, rescued, cancelled, gone])
def test_a_ghost_writes_nothing(sending: Callable[[], Delivery], meanwhile: Callable[[Delivery], None]) -> None:
    """Its lease ran out, or a person was quicker: its answer comes too late."""
    ghost, other = sending(), sending()
    meanwhile(ghost)
    before = list(Delivery.objects.filter(pk=ghost.pk).values())
    written = store.settle([settlement(ghost, Edge.SUCCEEDED), settlement(other, Edge.SUCCEEDED)], now=now())
    assert written == [False, True]
    assert list(Delivery.objects.filter(pk=ghost.pk).values()) == before
    assert [attempt.delivery_id for attempt in Attempt.objects.all()] == [other.pk]


def test_a_ghost_beside_the_claim_that_came_after_it(sending: Callable[[], Delivery]) -> None:
    """One engine may hold both, when it was so slow that it rescued its own delivery and claimed it again."""
    held = sending()
    ghost = settlement(held, Edge.FAILED, status_code=500)
    rescued_and_claimed_again(held)
    held.refresh_from_db()
    other = sending()
    written = store.settle([ghost, settlement(held, Edge.SUCCEEDED), settlement(other, Edge.SUCCEEDED)], now=now())
    assert written == [False, True, True]
    assert set(Delivery.objects.values_list("state", "attempts")) == {(State.DELIVERED, 1)}
    assert Attempt.objects.count() == 2


def test_whatever_an_attempt_saw_is_kept_as_it_was(sending: Callable[[], Delivery]) -> None:
    held, moment = sending(), now()
    tried = Tried(3, None, 'odd "\\{,}', "naïve ✓ {NULL}", bytes(range(256)), moment, 2_000_000_000)
    assert held.claim
    store.settle([Settlement(held.pk, held.claim, Edge.FAILED, None, tried)], now=moment)
    row = Attempt.objects.get()
    assert Tried(*(getattr(row, name) for name in Tried._fields))._replace(response_body=bytes(256)) == tried._replace(
        response_body=bytes(256)
    )
    assert bytes(row.response_body) == bytes(range(256))
    assert Delivery.objects.get().due_at == moment  # where the policy names no time: at once


def test_nothing_is_settled_by_nothing(sending: Callable[[], Delivery]) -> None:
    assert store.settle([], now=now()) == []


def test_one_row_the_database_refuses_undoes_the_set(sending: Callable[[], Delivery]) -> None:
    first, second = sending(), sending()
    Attempt.objects.create(
        delivery=second, number=1, outcome=Edge.FAILED, response_body=b"", started_at=now(), duration_ms=1
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        store.settle([settlement(first, Edge.SUCCEEDED), settlement(second, Edge.SUCCEEDED)], now=now())
    assert set(Delivery.objects.values_list("state", flat=True)) == {State.SENDING}


def test_rescue_takes_back_what_is_beyond_its_lease(sending: Callable[[], Delivery]) -> None:
    moment, lost, held = now(), sending(), sending()
    Delivery.objects.filter(pk=lost.pk).update(lease_until=moment - timedelta(microseconds=1))
    assert store.rescue(now=moment, limit=10) == 1
    row = Delivery.objects.get(pk=lost.pk)
    assert (row.state, row.reason, row.claim, row.lease_until) == (State.READY, Edge.RESCUED, None, None)
    assert (row.attempts, row.failures, row.due_at) == (0, 0, lost.due_at)  # due at once, and not counted
    assert Delivery.objects.get(pk=held.pk).state == State.SENDING
    assert store.rescue(now=moment, limit=10) == 0


def test_who_is_rescued_again_and_again_dies_of_it_and_that_is_told(sending: Callable[[], Delivery]) -> None:
    often, seldom = sending(), sending()
    Delivery.objects.filter(pk=often.pk).update(rescues=MOST_RESCUES)
    heard: list[UUID] = []
    store.rescue(now=now() + 2 * LATER, limit=10, on_death=lambda rows: heard.extend(row.pk for row in rows))
    assert heard == [often.pk]
    states = dict(Delivery.objects.values_list("pk", "state"))
    assert states == {often.pk: State.DEAD, seldom.pk: State.READY}
    assert Delivery.objects.get(pk=often.pk).reason == "rescued_too_often"


def test_rescue_keeps_to_its_limit(sending: Callable[[], Delivery]) -> None:
    for _ in range(3):
        sending()
    assert [store.rescue(now=now() + 2 * LATER, limit=2) for _ in range(3)] == [2, 1, 0]


def test_giving_back_is_no_attempt_and_touches_only_ones_own(sending: Callable[[], Delivery]) -> None:
    mine, stolen = sending(), sending()
    assert mine.claim
    assert stolen.claim
    claims = {mine.pk: mine.claim, stolen.pk: stolen.claim}
    rescued_and_claimed_again(stolen)
    assert store.give_back(claims.items()) == 1
    row = Delivery.objects.get(pk=mine.pk)
    assert (row.state, row.reason, row.attempts) == (State.READY, Edge.INTERRUPTED, 0)
    assert Delivery.objects.get(pk=stolen.pk).state == State.SENDING


SOURCES = {edge: {s for s, e in TRANSITIONS if e is edge} for edge in (Edge.CANCELLED, Edge.REPLAYED)}


@pytest.mark.parametrize("state", State)
def test_cancel_takes_what_is_open(destination: Destination, state: State) -> None:
    a_delivery(an_event(destination.project), destination, state)
    moved = store.cancel(Delivery.objects.all(), now=now())
    assert moved == int(state in SOURCES[Edge.CANCELLED])
    assert Delivery.objects.get().state == (State.CANCELLED if moved else state)


@pytest.mark.parametrize("state", State)
def test_replay_takes_what_is_final_and_starts_the_schedule_anew(destination: Destination, state: State) -> None:
    a_delivery(an_event(destination.project), destination, state, attempts=8, failures=7)
    moment = now()
    moved = store.replay(Delivery.objects.all(), now=moment)
    assert moved == int(state in SOURCES[Edge.REPLAYED])
    row = Delivery.objects.get()
    if moved:
        assert (row.state, row.reason, row.due_at, row.finished_at) == (State.READY, Edge.REPLAYED, moment, None)
        assert (row.attempts, row.failures) == (8, 0)  # attempts keep their numbers
    else:
        assert (row.state, row.failures) == (state, 7)


@pytest.mark.parametrize("state", State)
def test_hasten_makes_due_what_waits(destination: Destination, state: State) -> None:
    later, moment = now() + LATER, now()
    a_delivery(an_event(destination.project), destination, state, due_at=later)
    assert store.hasten(Delivery.objects.all(), now=moment) == int(state is State.READY)
    assert Delivery.objects.get().due_at == (moment if state is State.READY else later)


def test_hasten_never_delays(destination: Destination) -> None:
    earlier = now() - LATER
    a_delivery(an_event(destination.project), destination, due_at=earlier)
    assert store.hasten(Delivery.objects.all(), now=now()) == 0
    assert Delivery.objects.get().due_at == earlier
