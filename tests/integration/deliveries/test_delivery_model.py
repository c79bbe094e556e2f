"""Deliveries, the breaker and the cap against a model: two engines, people, crashes and ghosts, in whichever order."""

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from apps.deliveries import store
from apps.deliveries.breakers import breaker_of, breaker_reset
from apps.deliveries.engine import claimer, settler
from apps.deliveries.engine.attempt import Attempted
from apps.deliveries.engine.known import Known
from apps.deliveries.engine.parcel import Parcel
from apps.deliveries.models import Attempt, Breaker, Delivery
from apps.deliveries.policy.breaker import PROBES, Circuit, may_probe
from apps.deliveries.policy.retry import Decision
from apps.deliveries.states import FINAL, Edge, State
from apps.destinations.kinds import Outcome
from apps.kernel.clock import now
from tests.integration.cast import ACTOR, a_delivery, a_destination, a_project, an_event

CAP, LEASE = 4, timedelta(seconds=60)
POLICY = {"max_in_flight": CAP, "breaker": {"failures": 3, "open_for": 600, "ramp": 0}}
LEADS_TO = {
    Edge.SUCCEEDED: State.DELIVERED,
    Edge.FAILED: State.READY,
    Edge.EXHAUSTED: State.DEAD,
    Edge.REJECTED: State.DEAD,
    Edge.INTERRUPTED: State.READY,
}
picks = st.integers(min_value=0, max_value=1_000)
engines = st.integers(min_value=0, max_value=1)


class Deliveries(RuleBasedStateMachine):
    """The model: each delivery's state and number of attempts, and the failures in a row."""

    def __init__(self) -> None:
        super().__init__()
        self.project = a_project()
        self.destination = a_destination(self.project, policy=POLICY)
        self.known = [Known(), Known()]
        self.states: dict[UUID, State] = {}
        self.attempts: dict[UUID, int] = {}
        self.held: list[tuple[int, Parcel]] = []  # with the engine that holds it
        self.ghosts: list[tuple[int, Parcel]] = []
        self.in_a_row = 0

    # What comes in, and what people do

    @rule(count=st.integers(1, 4))
    def publish(self, count: int) -> None:
        for _ in range(count):
            row = a_delivery(an_event(self.project), self.destination)
            self.states[row.pk], self.attempts[row.pk] = State.READY, 0

    @precondition(lambda self: self.states)
    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        pk = self.one_of(pick)
        store.cancel(Delivery.objects.filter(pk=pk), now=now())
        if self.states[pk] not in FINAL:
            self.states[pk] = State.CANCELLED
            self.ghosts += [one for one in self.held if one[1].delivery_id == pk]
            self.held = [one for one in self.held if one[1].delivery_id != pk]

    @precondition(lambda self: self.states)
    @rule(pick=picks)
    def replay(self, pick: int) -> None:
        pk = self.one_of(pick)
        store.replay(Delivery.objects.filter(pk=pk), now=now())
        if self.states[pk] in FINAL:
            self.states[pk] = State.READY

    @rule()
    def close_by_hand(self) -> None:
        breaker_reset(destination=self.destination, actor=ACTOR)
        self.in_a_row = 0

    # What engines do

    @rule(engine=engines)
    def look(self, engine: int) -> None:
        self.known[engine].read()

    @rule(engine=engines, wanted=st.integers(1, 6))
    def claim(self, engine: int, wanted: int) -> None:
        before, moment = breaker_of(self.destination), now()
        catch = claimer.run_once(
            asked={self.destination.pk: wanted},
            limit=100,
            bytes_left=1_000_000,
            alone=False,
            lease=LEASE,
            known=self.known[engine],
        )
        for parcel in catch.parcels:
            assert self.states[parcel.delivery_id] is State.READY, "only what is ready is claimed"
            self.states[parcel.delivery_id] = State.SENDING
            self.held.append((engine, parcel))
        if catch.parcels and before.state is not Circuit.CLOSED:
            assert may_probe(before, moment)
            assert len(catch.parcels) <= PROBES
            assert breaker_of(self.destination).state is Circuit.HALF_OPEN

    @precondition(lambda self: self.held)
    @rule(edge=st.sampled_from(list(LEADS_TO)), pick=picks)
    def settle(self, edge: Edge, pick: int) -> None:
        engine, parcel = self.held.pop(pick % len(self.held))
        self.written(engine, parcel, edge)
        self.states[parcel.delivery_id] = LEADS_TO[edge]
        if edge is not Edge.INTERRUPTED:
            self.attempts[parcel.delivery_id] += 1
            self.in_a_row = 0 if edge is Edge.SUCCEEDED else self.in_a_row + 1

    @precondition(lambda self: self.held)
    @rule(engine=engines)
    def let_an_engine_die(self, engine: int) -> None:
        lost = [one for one in self.held if one[0] == engine]
        ids = [parcel.delivery_id for _, parcel in lost]
        Delivery.objects.filter(pk__in=ids).update(lease_until=now() - timedelta(seconds=1))
        store.rescue(now=now(), limit=100)
        Delivery.objects.filter(pk__in=ids).update(due_at=now(), rescues=0)
        self.held = [one for one in self.held if one[0] != engine]
        self.ghosts += lost
        self.states |= dict.fromkeys(ids, State.READY)
        self.known[engine] = Known()

    @precondition(lambda self: self.ghosts)
    @rule(edge=st.sampled_from(list(LEADS_TO)), pick=picks)
    def settle_as_a_ghost(self, edge: Edge, pick: int) -> None:
        """The invariants say that nothing came of it."""
        self.written(*self.ghosts.pop(pick % len(self.ghosts)), edge)

    @rule()
    def time_passes(self) -> None:
        Breaker.objects.exclude(retry_at=None).update(retry_at=now() - timedelta(microseconds=1))

    # What holds

    @invariant()
    def the_rows_are_as_the_model_says(self) -> None:
        rows = self.destination.deliveries.values_list("pk", "state", "attempts")
        assert {pk: (State(state), attempts) for pk, state, attempts in rows} == {
            pk: (state, self.attempts[pk]) for pk, state in self.states.items()
        }
        assert Attempt.objects.filter(delivery__in=self.states).count() == sum(self.attempts.values())

    @invariant()
    def no_more_are_in_flight_than_may_be(self) -> None:
        assert sum(state is State.SENDING for state in self.states.values()) <= CAP

    @invariant()
    def the_breaker_counts_right(self) -> None:
        standing = breaker_of(self.destination)
        assert standing.failures == self.in_a_row
        if self.in_a_row < 3:
            assert standing.state is Circuit.CLOSED
        else:
            assert standing.state is not Circuit.CLOSED

    def teardown(self) -> None:
        """Nothing is stuck: once the receiver is well, everything that waits is delivered."""
        for _ in range(100):
            if not self.held and State.READY not in self.states.values():
                return
            self.time_passes()
            self.look(0)
            self.claim(0, 6)
            while self.held:
                self.settle(Edge.SUCCEEDED, 0)
        raise AssertionError("some wait for ever")

    def one_of(self, pick: int) -> UUID:
        return sorted(self.states)[pick % len(self.states)]

    def written(self, engine: int, parcel: Parcel, edge: Edge) -> None:
        self.known[engine].read()  # as it does every second: who has not heard of a trouble does not end it
        outcome = Outcome(status_code=200 if edge is Edge.SUCCEEDED else 500)
        due_at = now() if edge is Edge.FAILED else None
        settler.run_once([Attempted(parcel, outcome, Decision(edge, due_at), now())], self.known[engine])


@pytest.mark.django_db
@pytest.mark.timeout(240)
def test_deliveries_are_as_their_model_says() -> None:
    few = settings(max_examples=8, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Deliveries, settings=few)
