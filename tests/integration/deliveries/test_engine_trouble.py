"""The engine in trouble: stopped, crashed beside, without a database, broken, or not alone. Nothing is lost."""

import os
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Never

import pytest
from django.db import OperationalError, connection

from apps.accounts.models import Project
from apps.deliveries import store
from apps.deliveries.engine import claimer, heartbeat
from apps.deliveries.models import Attempt, Delivery, EngineHeartbeat
from apps.deliveries.selectors import engines_alive
from apps.deliveries.states import Edge, State
from apps.kernel.clock import now
from apps.kernel.ids import new_uuid
from tests.integration.cast import a_delivery, a_destination, a_project, an_event
from tests.integration.deliveries.engine_room import Running, attempted, run_until, watched_lines
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    return a_project()


def fill(receiver: Receiver, project: Project, count: int, path: str = "/hook") -> None:
    """So many deliveries due at one destination."""
    destination = a_destination(project, receiver.url(path))
    for _ in range(count):
        a_delivery(an_event(project), destination)


def states() -> Counter[str]:
    return Counter(Delivery.objects.values_list("state", flat=True))


# Stopping


def test_what_is_in_flight_may_end_within_the_grace(receiver: Receiver, project: Project) -> None:
    for _ in range(3):
        fill(receiver, project, 1, "/slow/300")
    run_until(lambda _: receiver.wait_for(3))  # they have only arrived when the engine is told to stop
    assert states() == {State.DELIVERED: 3}


def test_what_takes_longer_is_given_back_as_not_tried(receiver: Receiver, project: Project) -> None:
    fill(receiver, project, 3, "/hang")
    lines = run_until(lambda _: receiver.wait_for(3), grace=0.05)
    assert states() == {State.READY: 3}
    assert {(row.reason, row.attempts, row.claim) for row in Delivery.objects.all()} == {(Edge.INTERRUPTED, 0, None)}
    assert [line["count"] for line in lines.of("deliveries.given_back")] == [3]
    assert not Attempt.objects.exists()


def test_a_stopped_engine_claims_nothing_more(receiver: Receiver, project: Project) -> None:
    fill(receiver, project, 20, "/slow/100")
    run_until(lambda _: receiver.wait_for(2), concurrency=2, claim_set=2)
    assert states()[State.SENDING] == 0
    assert states()[State.READY] >= 14
    assert states()[State.DELIVERED] == Attempt.objects.count() == 20 - states()[State.READY]


def test_no_more_is_claimed_than_the_pace_allows(receiver: Receiver, project: Project) -> None:
    for _ in range(12):
        fill(receiver, project, 1, "/hang")
    run_until(lambda _: receiver.wait_for(3), concurrency=3, grace=0.05)
    assert Counter(Delivery.objects.values_list("reason", flat=True)) == {Edge.INTERRUPTED: 3, "": 9}


def test_the_heartbeat_is_there_while_it_lives(receiver: Receiver, project: Project) -> None:
    fill(receiver, project, 1)
    with watched_lines() as lines, Running() as running:
        lines.wait_for("delivery.attempted")  # the first beat was written before, by the same thread
        alive = engines_alive().get()
        assert (alive.pk, alive.pid) == (running.engine.id, os.getpid())
    assert not EngineHeartbeat.objects.exists()


def test_a_beat_renews_its_row_and_clears_away_the_long_gone() -> None:
    crashed = EngineHeartbeat.objects.create(host="a", pid=1, seen_at=now() - timedelta(hours=2))
    silent = EngineHeartbeat.objects.create(host="b", pid=2, seen_at=now() - timedelta(minutes=1))
    mine = new_uuid()
    for sending in (3, 4):
        heartbeat.beat(mine, sending=sending)
    rows = {row.pk: row.sending for row in EngineHeartbeat.objects.all()}
    assert rows == {silent.pk: 0, mine: 4}
    assert [row.pk for row in engines_alive()] == [mine]
    assert crashed.pk not in rows


# Crashes and faults


def test_what_a_crashed_engine_held_is_rescued(receiver: Receiver, project: Project) -> None:
    a_delivery(
        an_event(project),
        a_destination(project, receiver.url("/hook")),
        State.SENDING,
        lease_until=now() - timedelta(seconds=1),
    )
    lines = run_until(attempted(1))
    assert [line["count"] for line in lines.of("deliveries.rescued")] == [1]
    assert (states(), len(receiver.requests)) == ({State.DELIVERED: 1}, 1)


def failing(times: int, real: Callable[..., Any]) -> Callable[..., Any]:
    """The real thing, but the database goes away under it a few times first."""
    left = iter(range(times))

    def stand_in(*args: Any, **kwargs: Any) -> Any:
        if next(left, None) is not None:
            raise OperationalError("the server closed the connection unexpectedly")
        return real(*args, **kwargs)

    return stand_in


@pytest.mark.parametrize("name", ["claim", "settle", "rescue"])
def test_a_database_that_is_away_for_a_while(
    receiver: Receiver, project: Project, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    fill(receiver, project, 3)
    monkeypatch.setattr(store, name, failing(2, getattr(store, name)))
    lines = run_until(attempted(3), lambda lines: lines.wait_for("engine.database_fault", 2))
    assert states() == {State.DELIVERED: 3}
    assert len(receiver.requests) == Attempt.objects.count() == 3  # sent once, however often it was written
    assert len(lines.of("engine.database_fault")) == 2


KILL = {
    "postgresql": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid()",
    "mysql": "SELECT CONCAT('KILL ', id) FROM information_schema.processlist WHERE db = DATABASE() "
    "AND id <> CONNECTION_ID()",
}


@pytest.mark.database("postgresql", "mysql")
def test_a_database_that_hangs_up_on_everybody(receiver: Receiver, project: Project) -> None:
    fill(receiver, project, 3, "/slow/200")
    with watched_lines() as lines, Running():
        receiver.wait_for(3)
        with connection.cursor() as cursor:
            cursor.execute(KILL[connection.vendor])
            if connection.vendor == "mysql":
                for (statement,) in cursor.fetchall():
                    cursor.execute(statement)
        lines.wait_for("delivery.attempted", 3)
        fill(receiver, project, 2)
        lines.wait_for("delivery.attempted", 5)
    assert states() == {State.DELIVERED: 5}
    assert len(receiver.requests) == Attempt.objects.count() == 5


def test_an_attempt_the_database_refuses_does_not_stop_the_others(receiver: Receiver, project: Project) -> None:
    fill(receiver, project, 5)
    odd = Delivery.objects.all()[2]
    # The number is taken, as it would be had a person meddled with the rows.
    fields = {"outcome": "failed", "response_body": b"", "started_at": now(), "duration_ms": 1}
    Attempt.objects.create(delivery=odd, number=1, **fields)
    run_until(attempted(4), lambda lines: lines.wait_for("attempt.unwritable"))
    assert states()[State.DELIVERED] == 4
    assert Attempt.objects.count() == 5


def test_a_bug_in_a_loop_ends_the_engine_and_it_holds_nothing(
    receiver: Receiver, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A supervisor starts it again; going on with a part of it dead would look healthy."""
    fill(receiver, project, 1)
    real = claimer.run_once

    def claim_once_then_break(**kwargs: Any) -> Any:
        return broken() if receiver.requests else real(**kwargs)

    def broken() -> Never:
        raise RuntimeError("a bug")

    monkeypatch.setattr(claimer, "run_once", claim_once_then_break)
    running = Running()
    running.__enter__()
    receiver.wait_for(1)
    fill(receiver, project, 1)
    with pytest.raises(RuntimeError, match="a bug"):
        running.join()
    assert states() == {State.DELIVERED: 1, State.READY: 1}
    assert not EngineHeartbeat.objects.exists()


# Together


def test_two_engines_side_by_side_send_each_once(receiver: Receiver, project: Project) -> None:
    fill(receiver, project, 60)
    with watched_lines() as lines, Running(claim_set=5), Running(claim_set=5):
        lines.wait_for("delivery.attempted", 60)
    assert states() == {State.DELIVERED: 60}
    assert set(Counter(request.headers["webhook-id"] for request in receiver.requests).values()) == {1}
    assert len(receiver.requests) == Attempt.objects.count() == 60


def test_a_person_cancels_what_is_in_flight(receiver: Receiver, project: Project) -> None:
    """The request is out and can't be called back, but its answer is not written over what the person said."""
    fill(receiver, project, 1, "/slow/200")
    with watched_lines() as lines, Running():
        receiver.wait_for(1)
        assert store.cancel(Delivery.objects.all(), now=now()) == 1
        [line] = lines.wait_for("delivery.attempt_lost")
    assert (line["outcome"], line["status_code"]) == ("succeeded", 200)
    assert states() == {State.CANCELLED: 1}
    assert not Attempt.objects.exists()


def test_one_destination_that_hangs_leaves_the_others_room(receiver: Receiver, project: Project) -> None:
    hanging = a_destination(project, receiver.url("/hang"))
    for _ in range(20):
        a_delivery(an_event(project), hanging)
    fill(receiver, project, 1)
    run_until(attempted(1), concurrency=4, grace=0.05)
    assert states() == {State.DELIVERED: 1, State.READY: 20}


def test_bodies_beyond_the_budget_wait_their_turn(receiver: Receiver, project: Project) -> None:
    """None of them fits within it; each is sent all the same, alone."""
    for _ in range(4):
        a_delivery(an_event(project, data=b'"' + b"x" * 900 + b'"'), a_destination(project, receiver.url("/hook")))
    run_until(attempted(4), held_bytes=100)
    assert states() == {State.DELIVERED: 4}
