"""Operations: each row once, whoever dies or does it meanwhile; held and called off between chunks; ended by itself."""

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from apps.accounts.models import Project
from apps.audit.models import AuditEntry
from apps.deliveries import store
from apps.deliveries.engine import pruner
from apps.deliveries.models import Delivery, Operation, OperationState
from apps.deliveries.operations import advancing, kinds, services
from apps.deliveries.operations.advancing import Advance, advance, advance_next
from apps.deliveries.operations.selectors import operations_running, progress
from apps.deliveries.operations.services import (
    operation_cancel,
    operation_pause,
    operation_resume,
)
from apps.deliveries.states import Edge, State
from apps.destinations.models import Destination
from apps.kernel.clock import isoformat, now
from apps.kernel.errors import Conflict
from tests.integration.cast import ACTOR, a_delivery, a_destination, a_project, an_event
from tests.integration.deliveries.engine_room import Running, attempted, watched_lines
from tests.integration.deliveries.operating import ALL_TIME, asked, done, recovering_by, some, states
from tests.integration.threads import at_once
from tests.receiver import Receiver

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("small_chunks")]


# What each kind does


def test_recover_sends_the_dead_again_in_chunks(destination: Destination) -> None:
    rows = some(destination, 10, failures=8)
    others = [row for state in State if state is not State.DEAD for row in some(destination, 1, state)]
    elsewhere = some(a_destination(a_project()), 3)
    operation = asked(destination.project)
    assert (operation.total, progress(operation)) == (10, 0)
    assert advance(operation.pk) is not None
    operation.refresh_from_db()
    assert (operation.processed, operation.changed, progress(operation)) == (4, 4, 40)
    done(operation)
    assert (operation.state, operation.changed, progress(operation)) == ("completed", 10, 100)
    assert states(rows) == {State.READY: 10}
    assert set(Delivery.objects.filter(pk__in=[row.pk for row in rows]).values_list("reason", "failures")) == {
        (Edge.REPLAYED, 0)
    }
    assert (states(elsewhere), states(others)) == ({State.DEAD: 3}, Counter(row.state for row in others))


def test_what_narrows_the_dead(destination: Destination) -> None:
    project, moment = destination.project, now() - timedelta(hours=1)
    acme = an_event(project, type="invoice.paid", consumer="acme")
    wanted = a_delivery(acme, destination, State.DEAD, last_error="timeout", last_status_code=503, finished_at=moment)
    narrowed: dict[str, Any] = {
        "destination": destination.public_id,
        "error": "timeout",
        "consumer": "acme",
        "event_type": "invoice.*",
    }
    narrowed |= {"status_code": 503}
    times = {"since": isoformat(moment), "until": isoformat(moment + timedelta(seconds=1))}
    like: dict[str, Any] = {"last_error": "timeout", "last_status_code": 503, "finished_at": moment}
    others: list[dict[str, Any]] = [
        {"last_error": "dns_failed"}, {"last_status_code": 500}, {"last_status_code": None},
        {"finished_at": moment - timedelta(seconds=1)}, {"finished_at": moment + timedelta(seconds=1)},
    ]  # fmt: skip
    strangers = (an_event(project, type="user.made", consumer="acme"), an_event(project, consumer="globex"))
    beside = [
        a_delivery(acme, a_destination(project), State.DEAD, **like),
        *(a_delivery(event, destination, State.DEAD, **like) for event in strangers),
        *(a_delivery(an_event(project, consumer="acme"), destination, State.DEAD, **{**like, **one}) for one in others),
    ]
    operation = done(asked(project, "recover", **narrowed, **times))
    assert (operation.changed, operation.processed) == (1, 1 + len(beside))
    assert (states([wanted]), states(beside)) == ({State.READY: 1}, {State.DEAD: len(beside)})


def test_discard_empties_the_queue(destination: Destination) -> None:
    rows = some(destination, 6)
    waiting = some(destination, 2, State.READY)
    assert done(asked(destination.project, "discard")).changed == 6
    assert states(rows) == {State.CANCELLED: 6}
    assert states(waiting) == {State.READY: 2}
    assert set(Delivery.objects.filter(state=State.CANCELLED).values_list("reason", flat=True)) == {Edge.DISCARDED}


@pytest.mark.parametrize("narrow", [True, False])
def test_retry_makes_due_what_waits(destination: Destination, narrow: bool) -> None:
    later = now() + timedelta(hours=2)
    rows = some(destination, 6, State.READY, due_at=later, failures=3)
    dead = some(destination, 1)
    other = some(a_destination(destination.project), 1, State.READY, due_at=later)
    chosen = {"destination": destination.public_id} if narrow else {}
    assert done(asked(destination.project, "retry", **chosen)).changed == (6 if narrow else 7)
    assert {row.due_at <= now() for row in Delivery.objects.filter(pk__in=[row.pk for row in rows])} == {True}
    assert Delivery.objects.get(pk=other[0].pk).due_at == later or not narrow
    assert states(dead) == {State.DEAD: 1}


def test_cancel_calls_off_what_waits(destination: Destination) -> None:
    rows, sending = some(destination, 6, State.READY), some(destination, 1, State.SENDING)
    other = some(a_destination(destination.project), 1, State.READY)
    assert done(asked(destination.project, "cancel", destination=destination.public_id)).changed == 6
    assert (states(rows), states(sending), states(other)) == (
        {State.CANCELLED: 6}, {State.SENDING: 1}, {State.READY: 1}
    )  # fmt: skip


@pytest.mark.parametrize("few", [4, 20], ids=["many wait", "few wait"])
@pytest.mark.parametrize("narrow", [True, False])
def test_a_history_without_any_that_wait_is_passed_over(
    destination: Destination, few: int, narrow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where few wait, they are looked up; the others are walked to. Each is done once, and no other."""
    monkeypatch.setattr(kinds, "FEW", few)
    monkeypatch.setattr(kinds, "RARE", 4)
    history = []
    for _ in range(3):
        history += some(destination, 12, State.DELIVERED) + some(destination, 3, State.READY)
    elsewhere = some(a_destination(a_project()), 2, State.READY)
    asked_for = {"destination": destination.public_id} if narrow else {"since": isoformat(now() - timedelta(days=1))}
    operation = asked(destination.project, "cancel", **asked_for)
    later = some(destination, 2, State.READY)
    done(operation)
    assert (operation.state, operation.changed) == ("completed", 9)
    assert operation.processed < 20 if few == 20 else operation.processed > 40
    assert states(history) == {State.DELIVERED: 36, State.CANCELLED: 9}
    assert states([*elsewhere, *later]) == {State.READY: 4}


# Whoever dies, whoever helps


@pytest.mark.parametrize("kind", ["recover", "replay"])
def test_a_crash_in_a_chunk_undoes_the_chunk_and_nothing_else(
    kind: str, destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = some(destination, 10)
    operation = asked(destination.project, kind)
    saved, calls = Operation.save, []

    def dying(self: Operation, **fields: Any) -> None:
        saved(self, **fields)
        calls.append(1)
        if len(calls) % 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Operation, "save", dying)
        for _ in range(100):
            try:
                if advance_next() is None:
                    break
            except KeyboardInterrupt:
                pass
    operation.refresh_from_db()
    assert (operation.state, operation.processed, operation.changed) == ("completed", 10, 10)
    assert states(rows) == {State.READY: 10}
    assert len(calls) >= 6, "nobody died"


def test_engines_at_once_share_it(project: Project) -> None:
    one, other = a_destination(project), a_destination(a_project())
    rows = some(one, 20) + some(other, 20)
    operations = [asked(one.project), asked(other.project), asked(one.project, "replay")]
    Operation.objects.filter(pk=operations[2].pk).update(parameters={**ALL_TIME, "destination": one.public_id})

    def work() -> int:
        count = 0
        while advance_next() is not None:
            count += 1
        return count

    counts = at_once([work] * 3)
    assert not [count for count in counts if isinstance(count, Exception)], counts
    work()  # all of them may have met a lock and gone
    for operation in operations:
        operation.refresh_from_db()
        assert (operation.state, operation.processed) == ("completed", 20)
    recovered, of_other, replayed = (operation.changed for operation in operations)
    assert of_other == 20
    assert recovered + replayed == 20, "each by whichever of the two came to it first"
    assert states(rows) == {State.READY: 40}
    assert Delivery.objects.count() == 40


def test_one_that_dies_again_at_once_is_not_taken_again(
    destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    some(destination, 10)
    replayed = store.replay

    def die_again(rows: Any, **fields: Any) -> int:
        count = replayed(rows, **fields)
        Delivery.objects.filter(state=State.READY).update(state=State.DEAD, finished_at=now())
        return count

    monkeypatch.setattr(advancing, "KINDS", recovering_by(die_again))
    operation = done(asked(destination.project), most=20)
    assert (operation.state, operation.changed) == ("completed", 10)


def test_what_dies_after_it_was_asked_for_is_not_meant(destination: Destination) -> None:
    some(destination, 3)
    operation = asked(destination.project)
    later = some(destination, 3)
    assert done(operation).changed == 3
    assert states(later) == {State.DEAD: 3}


def test_each_does_a_chunk_in_turn(project: Project) -> None:
    """However much one project asks for, another waits for a chunk and no more."""
    huge, small = a_destination(project), a_destination(a_project())
    some(huge, 20)
    some(small, 6)
    order = [asked(huge.project), asked(small.project)]
    turns: list[UUID] = []
    while found := advance_next():
        turns.append(found.operation.pk)
    assert turns[:4] == [order[0].pk, order[1].pk] * 2
    assert Counter(turns)[order[0].pk] == 6


# Holding and ending


def test_it_is_paused_and_goes_on_where_it_was(destination: Destination) -> None:
    some(destination, 10)
    operation = asked(destination.project)
    advance_next()
    operation_pause(operation=operation, actor=ACTOR)
    assert advance_next() is None
    assert advance(operation.pk) is None
    assert operations_running() == 0
    operation_pause(operation=operation, actor=ACTOR)  # which is so already
    operation_resume(operation=operation, actor=ACTOR)
    assert done(operation).changed == 10
    told = AuditEntry.objects.filter(target=operation.public_id).order_by("pk").values_list("action", flat=True)
    assert list(told) == [f"operation.{word}" for word in ("created", "paused", "resumed", "completed")]


@pytest.mark.parametrize("paused", [True, False])
def test_it_is_called_off_between_chunks(destination: Destination, paused: bool) -> None:
    rows = some(destination, 10)
    operation = asked(destination.project)
    advance_next()
    if paused:
        operation_pause(operation=operation, actor=ACTOR)
    cancelled = operation_cancel(operation=operation, actor=ACTOR)
    assert (cancelled.state, cancelled.finished_at is None) == ("cancelled", False)
    assert advance_next() is None
    assert states(rows) == {State.READY: 4, State.DEAD: 6}
    for move in (operation_pause, operation_resume):
        with pytest.raises(Conflict, match="cancelled already"):
            move(operation=operation, actor=ACTOR)


def test_too_much_is_not_counted(destination: Destination, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MOST_COUNTED", 5)
    some(destination, 6)
    operation = asked(destination.project)
    assert (operation.total, progress(operation)) == (None, None)
    assert progress(done(operation)) == 100


def test_a_project_has_so_many_under_way(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MOST_OPEN", 2)
    first = asked(project, "discard")
    asked(project, "discard")
    with pytest.raises(Conflict) as refused:
        asked(project, "discard")
    assert refused.value.code == "too_many_operations"
    operation_cancel(operation=first, actor=ACTOR)
    asked(a_project(), "discard")
    asked(project, "discard")


def test_those_long_over_are_forgotten(project: Project) -> None:
    long_ago = now() - timedelta(days=31)
    old, young, running = (asked(project, "discard") for _ in range(3))
    for operation in (old, young):
        done(operation)
    Operation.objects.filter(pk__in=[old.pk, running.pk]).update(updated_at=long_ago)
    Operation.objects.filter(pk=old.pk).update(finished_at=long_ago)
    while pruner.run_once():
        pass
    assert set(Operation.objects.values_list("pk", flat=True)) == {young.pk, running.pk}


# In an engine


def test_a_running_engine_recovers_and_delivers(project: Project, receiver: Receiver) -> None:
    rows = some(a_destination(project, receiver.url("/hook")), 10)
    with watched_lines() as lines, Running(expand=0.02):
        operation = asked(project)
        attempted(10)(lines)
        lines.wait_for("operation.advanced", 3)
    operation.refresh_from_db()
    assert (operation.state, states(rows)) == (OperationState.COMPLETED, {State.DELIVERED: 10})
    told = lines.of("operation.advanced")
    assert sum(line["changed"] for line in told) == 10
    assert {line["kind"] for line in told} == {"recover"}


def test_an_engine_outlives_an_operation_that_can_not_be_done(project: Project, receiver: Receiver) -> None:
    operation = asked(project)
    Operation.objects.filter(pk=operation.pk).update(kind="unheard of")
    some(a_destination(project, receiver.url("/hook")), 1, State.READY)
    with watched_lines() as lines, Running(expand=0.02):
        lines.wait_for("operation.failed")
        attempted(1)(lines)
    operation.refresh_from_db()
    assert operation.state == OperationState.FAILED


def test_what_a_chunk_did_is_told(project: Project) -> None:
    operation = asked(project, "discard")
    found = advance_next()
    assert isinstance(found, Advance)
    assert (found.operation.pk, found.chunk.ended) == (operation.pk, True)
