"""Transformations that wait for workers, and workers that die: nothing lost, no attempt burned, no busy waiting."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from apps.accounts.models import Project
from apps.deliveries.engine import transforming
from apps.deliveries.engine.claimer import MARGIN
from apps.deliveries.engine.transforming import QUEUE
from apps.deliveries.models import Attempt, Breaker, Delivery
from apps.deliveries.states import Edge, State
from apps.destinations.models import Destination
from apps.destinations.routing.workers import WORKERS, workers
from apps.intake.services import events_accept
from apps.intake.submission import Submission
from apps.kernel.clock import now
from tests.integration.cast import a_delivery, a_destination, a_project, an_event
from tests.integration.deliveries.engine_room import Lines, Running, attempted, run_until, watched_lines
from tests.integration.programs import PATIENCE, manage
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)
SLOW = "{% for i in range(60) %}{% for j in range(20000) %}{% endfor %}{% endfor %}1"  # some 100 ms, and no overrun
QUICK = {"jmespath": "@"}


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """No worker of another test."""
    workers.close()
    yield
    workers.close()


def to(project: Project, receiver: Receiver, transform: dict[str, Any], **fields: Any) -> Destination:
    return a_destination(project, receiver.url("/hook"), transform=transform, **fields)


def fill(destination: Destination, count: int) -> None:
    for _ in range(count):
        a_delivery(an_event(destination.project), destination)


@contextmanager
def no_worker_free() -> Iterator[None]:
    taken = [workers._idle.get() for _ in range(WORKERS)]
    try:
        yield
    finally:
        for one in taken:
            workers._idle.put(one)


def all_delivered_at_once() -> bool:
    """Each with one attempt, which succeeded."""
    found = set(Delivery.objects.values_list("state", "attempts", "failures", "rescues").distinct())
    tries = set(Attempt.objects.values_list("number", "outcome").distinct())
    return found == {(State.DELIVERED, 1, 0, 0)} and tries == {(1, Edge.SUCCEEDED)}


def test_what_waits_in_vain_is_given_back_and_left_alone_for_a_while(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transforming, "QUEUE", 0.05)
    fill(to(a_project(), receiver, QUICK), 5)
    with watched_lines() as lines, Running():
        with no_worker_free():
            began = time.monotonic()
            lines.wait_for("delivery.given_back", 15)
            took = time.monotonic() - began
            assert not receiver.requests
        monkeypatch.setattr(transforming, "QUEUE", QUEUE)
        lines.wait_for("delivery.attempted", 5)
    assert took >= 3 * transforming.FIRST_PAUSE  # one, and one twice as long
    assert all_delivered_at_once()
    assert not Breaker.objects.exists()
    details = {line["detail"] for line in lines.of("delivery.given_back")}
    assert details == {"no worker was free for its transformation"}


def test_an_ordered_destination_keeps_its_order(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transforming, "QUEUE", 0.05)
    project = a_project()
    to(project, receiver, QUICK, ordering="per_key")
    submissions = [Submission(type="step.done", data=b"%d" % n, ordering_key="a") for n in range(4)]
    events_accept(project=Project.objects.get(pk=project.pk), submissions=submissions)
    with watched_lines() as lines, Running():
        with no_worker_free():
            lines.wait_for("delivery.given_back", 2)
        monkeypatch.setattr(transforming, "QUEUE", QUEUE)
        lines.wait_for("delivery.attempted", 4)
    assert [json.loads(one.body)["data"] for one in receiver.requests] == [0, 1, 2, 3]
    assert all_delivered_at_once()


def test_others_pay_nothing_for_one_that_overruns(receiver: Receiver) -> None:
    """Neither with attempts nor with their place: those behind it wait until its rest ends."""
    bomb = to(a_project(), receiver, {"template": SLOW.replace("60", "9999")})
    fill(bomb, 12)
    quick = to(a_project(), receiver, QUICK)
    fill(quick, 12)
    with watched_lines() as lines, Running():
        lines.wait_for("delivery.attempted", 12 + transforming.MOST)
        lines.wait_for("delivery.given_back")
    assert Delivery.objects.filter(destination=quick, state=State.DELIVERED, attempts=1).count() == 12
    tried = Attempt.objects.filter(delivery__destination=bomb).count()
    assert transforming.MOST <= tried <= transforming.MOST + WORKERS  # what was under way
    assert Delivery.objects.filter(destination=bomb, attempts=0, state=State.READY).count() == 12 - tried
    assert len(lines.of("delivery.given_back")) <= 12


def test_a_fast_one_waits_for_one_of_another_projects_and_not_for_all(receiver: Receiver) -> None:
    slow, fast = a_project(), a_project()
    for _ in range(3):  # an unknown destination may hold eight at once
        fill(to(slow, receiver, {"template": SLOW}), 10)
    quick = to(fast, receiver, QUICK)

    def come(lines: Lines) -> None:
        lines.wait_for("delivery.attempted", 2)
        fill(quick, 1)

    lines = run_until(come, attempted(31))
    order = [line["project_id"] for line in lines.of("delivery.attempted")]
    sent_before = order.index(fast.public_id)
    assert sent_before <= 12  # settled in sets, and the event had to be found; by its turn it would be the 24th
    assert all_delivered_at_once()


# What dies


def worker_pids(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat, command = (entry / "stat").read_text(), (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == parent and b"routing.worker" in command:
                found.append(int(entry.name))
    return found


def test_a_worker_that_is_killed_costs_no_attempt(receiver: Receiver) -> None:
    fill(to(a_project(), receiver, {"template": SLOW}), 6)

    def kill(lines: Lines) -> None:
        lines.wait_for("delivery.attempted", 1)
        for pid in worker_pids(os.getpid()):
            os.kill(pid, signal.SIGKILL)

    lines = run_until(kill, attempted(6))
    assert lines.of("delivery.given_back")
    assert all_delivered_at_once()


def test_at_shutdown_what_is_queued_is_given_back(receiver: Receiver) -> None:
    fill(to(a_project(), receiver, {"template": SLOW}), 30)
    run_until(attempted(1), grace=0.05)
    done = Delivery.objects.filter(state=State.DELIVERED).count()
    assert 1 <= done < 30
    left = Delivery.objects.exclude(state=State.DELIVERED).values_list("state", "attempts", "claim")
    assert set(left.distinct()) == {(State.READY, 0, None)}
    assert Attempt.objects.count() == done
    run_until(attempted(30 - done))
    assert all_delivered_at_once()


def test_an_engine_killed_with_a_queue_leaves_no_workers_and_loses_nothing(receiver: Receiver) -> None:
    """All are held for as long as the wait for a worker and the attempt may take, and longer."""
    began = now()
    fill(to(a_project(), receiver, {"template": SLOW}, policy={"timeout": 60}), 30)
    with manage("run_engine") as engine:
        receiver.wait_for(1)
        pids = worker_pids(engine.pid)
        engine.kill()
        engine.wait(PATIENCE)
    assert pids
    held = Delivery.objects.filter(state=State.SENDING)
    assert held.filter(attempts=0, lease_until__gt=began + timedelta(seconds=60 + QUEUE + MARGIN)).exists()
    assert not held.filter(lease_until__lt=began + timedelta(seconds=60)).exists()  # where it had not begun with them
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and any(os.path.exists(f"/proc/{pid}/fd/0") for pid in pids):
        os.sched_yield()
    assert not any(os.path.exists(f"/proc/{pid}/fd/0") for pid in pids)
    left = Delivery.objects.exclude(state=State.DELIVERED).count()
    held.update(lease_until=now())
    run_until(attempted(left))
    assert set(Delivery.objects.values_list("state", "attempts").distinct()) == {(State.DELIVERED, 1)}
