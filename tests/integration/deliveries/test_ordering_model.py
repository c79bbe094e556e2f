"""Ordering against a model: whatever publishers, engines, people and crashes do, in whichever order."""

from collections import defaultdict
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from apps.deliveries import store
from apps.deliveries.models import Delivery, Turn
from apps.deliveries.services import delivery_cancel, event_replay
from apps.deliveries.states import Edge, State
from apps.deliveries.store import Claimed, Settlement, Tried
from apps.intake.services import events_accept
from apps.intake.submission import Submission
from apps.kernel.clock import now
from tests.integration.cast import ACTOR, a_destination, a_project

KEYS = ("a", "b", "")
OPEN = (State.READY, State.SENDING)
picks = st.integers(min_value=0, max_value=1_000)


class Lines(RuleBasedStateMachine):
    """The model: for each key the deliveries that still have to come, in the order in which they must."""

    def __init__(self) -> None:
        super().__init__()
        self.project = a_project()
        self.destination = a_destination(self.project, ordering="per_key")
        self.lines: dict[str, list[UUID]] = defaultdict(list)
        self.held: dict[UUID, Claimed] = {}
        self.ghosts: list[Claimed] = []

    @rule(key=st.sampled_from(KEYS), count=st.integers(1, 4))
    def publish(self, key: str, count: int) -> None:
        submissions = [Submission(type="step.done", data=b"{}", ordering_key=key) for _ in range(count)]
        for accepted in events_accept(project=self.project, submissions=submissions):
            self.lines[key].append(Delivery.objects.get(event=accepted.event_id).pk)  # type: ignore[union-attr]

    @rule(wanted=st.integers(1, 5))
    def claim(self, wanted: int) -> None:
        moment = now()
        until = moment + timedelta(seconds=60)
        asked = {self.destination.pk: wanted}
        for row in store.claim(asked, limit=100, now=moment, lease_until=until, bytes_left=1_000_000):
            assert row.id not in self.held, "nothing is claimed twice"
            key = self.key_of(row.id)
            if key:
                assert self.lines[key][0] == row.id, "only the first of a line is ever claimed"
            assert row.id in self.lines[key]
            self.held[row.id] = row

    @precondition(lambda self: self.held)
    @rule(edge=st.sampled_from([Edge.SUCCEEDED, Edge.FAILED, Edge.REJECTED, Edge.EXHAUSTED]), pick=picks)
    def settle(self, edge: Edge, pick: int) -> None:
        row = self.held.pop(sorted(self.held)[pick % len(self.held)])
        assert self.settled(row, edge) == [True]
        if edge is not Edge.FAILED:
            self.lines[self.key_of(row.id)].remove(row.id)

    @precondition(lambda self: self.ghosts)
    @rule(pick=picks)
    def settle_as_a_ghost(self, pick: int) -> None:
        assert self.settled(self.ghosts.pop(pick % len(self.ghosts)), Edge.SUCCEEDED) == [False]

    @precondition(lambda self: self.held)
    @rule()
    def let_the_engine_die(self) -> None:
        Delivery.objects.filter(pk__in=self.held).update(lease_until=now() - timedelta(seconds=1))
        store.rescue(now=now(), limit=100)
        Delivery.objects.filter(pk__in=self.held).update(due_at=now(), rescues=0)
        self.ghosts += self.held.values()
        self.held.clear()

    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        if waiting := [pk for line in self.lines.values() for pk in line]:
            row = Delivery.objects.get(pk=waiting[pick % len(waiting)])
            delivery_cancel(delivery=row, actor=ACTOR)
            self.lines[self.key_of(row.pk)].remove(row.pk)
            if lost := self.held.pop(row.pk, None):
                self.ghosts.append(lost)

    @rule(pick=picks)
    def replay(self, pick: int) -> None:
        """At the end of its line, unless nobody has gone past it yet."""
        final = Delivery.objects.filter(destination=self.destination).exclude(state__in=OPEN).order_by("pk")
        if rows := list(final):
            row = rows[pick % len(rows)]
            keeps = Turn.objects.filter(delivery_id=row.pk).exists()
            event_replay(event=row.event, destination_ids=[self.destination.pk], actor=ACTOR)
            line = self.lines[self.key_of(row.pk)]
            line.insert(self._place(row.pk, line) if keeps else len(line), row.pk)

    def _place(self, pk: UUID, line: list[UUID]) -> int:
        turns = dict(Turn.objects.filter(delivery_id__in=[*line, pk]).values_list("delivery_id", "pk"))
        begun = set(Turn.objects.filter(begun=True).values_list("delivery_id", flat=True))
        return sum((one not in begun, turns[one]) < (pk not in begun, turns[pk]) for one in line)

    @invariant()
    def one_of_each_key_is_in_flight(self) -> None:
        sending = Delivery.objects.filter(destination=self.destination, state=State.SENDING)
        keys = [key for key in sending.values_list("event__ordering_key", flat=True) if key]
        assert len(keys) == len(set(keys))

    @invariant()
    def all_that_wait_have_a_turn(self) -> None:
        waiting = {pk for line in self.lines.values() for pk in line}
        assert waiting == set(
            Delivery.objects.filter(state__in=OPEN, destination=self.destination).values_list("pk", flat=True)
        )
        assert waiting <= set(Turn.objects.values_list("delivery_id", flat=True))

    def teardown(self) -> None:
        """Nothing is stuck: engines that work come to the end of every line."""
        for _ in range(200):
            if not any(self.lines.values()):
                return
            self.claim(5)
            while self.held:
                self.settle(Edge.SUCCEEDED, 0)
        raise AssertionError("some wait for ever")

    def key_of(self, pk: UUID) -> str:
        return str(Delivery.objects.get(pk=pk).event.ordering_key)

    def settled(self, row: Claimed, edge: Edge) -> list[bool]:
        tried: dict[str, Any] = {"status_code": 200, "error": "", "detail": "", "response_body": b"", "duration_ms": 1}
        number = 1 + Delivery.objects.get(pk=row.id).attempts
        attempt = Tried(number=number, started_at=now(), **tried)
        return store.settle([Settlement(row.id, row.claim, edge, now(), attempt)], now=now())


@pytest.mark.django_db
@pytest.mark.timeout(180)
def test_lines_are_as_their_model_says() -> None:
    few = settings(max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Lines, settings=few)
