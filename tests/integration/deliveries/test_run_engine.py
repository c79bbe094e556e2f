"""`manage.py run_engine` as operators run it: a process that ends on SIGTERM, and may be killed at any time."""

import json
import signal
from collections import Counter
from datetime import timedelta

import pytest

from apps.deliveries.models import Attempt, Delivery, EngineHeartbeat
from apps.deliveries.states import Edge, State
from apps.destinations.services import destination_change
from apps.kernel.clock import now
from tests.integration.cast import ACTOR, a_delivery, a_destination, a_project, an_event
from tests.integration.deliveries.engine_room import attempted, run_until
from tests.integration.programs import PATIENCE, manage
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)


def fill(receiver: Receiver, *paths: str) -> None:
    project = a_project()
    for path in paths:
        a_delivery(an_event(project), a_destination(project, receiver.url(path)))


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_it_delivers_and_ends_when_told(receiver: Receiver, signum: signal.Signals) -> None:
    fill(receiver, "/hook", "/hook", "/hang")
    with manage("run_engine", "--grace", "0.2", "--concurrency", "5") as engine:
        receiver.wait_for(3)
        engine.send_signal(signum)
        out, err = engine.communicate(timeout=PATIENCE)
    assert engine.returncode == 0, out + err
    events = Counter(json.loads(line)["event"] for line in out.splitlines())
    assert events["engine.started"] == events["engine.stopped"] == 1
    assert Counter(Delivery.objects.values_list("state", flat=True)) == {State.DELIVERED: 2, State.READY: 1}
    assert not EngineHeartbeat.objects.exists()


def test_killed_it_loses_nothing(receiver: Receiver) -> None:
    """kill -9 in the middle of an attempt: the row says who held it until when, and another takes over."""
    fill(receiver, "/hang")
    with manage("run_engine") as engine:
        receiver.wait_for(1)
        engine.kill()
        engine.wait(PATIENCE)
    row = Delivery.objects.get()
    assert (row.state, row.reason, row.attempts) == (State.SENDING, Edge.CLAIMED, 0)
    assert row.lease_until is not None
    assert now() < row.lease_until < now() + timedelta(seconds=61)
    destination_change(destination=row.destination, config={"url": receiver.url("/hook")}, actor=ACTOR)
    Delivery.objects.update(lease_until=now())
    run_until(attempted(1))
    row.refresh_from_db()
    assert (row.state, row.attempts, Attempt.objects.count()) == (State.DELIVERED, 1, 1)


def test_a_fault_in_the_environment_is_a_list_and_no_traceback() -> None:
    with manage("run_engine", TRUNKLINE_LEASE_SECONDS="5", TRUNKLINE_LEASE_SECOND="60") as engine:
        out, err = engine.communicate(timeout=PATIENCE)
    assert engine.returncode == 1
    assert err.count("\n  - TRUNKLINE_LEASE_SECOND") == 2
    assert "Traceback" not in out + err
