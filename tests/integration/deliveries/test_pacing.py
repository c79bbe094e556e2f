"""Policies at work: real engines hold to schedules, timeouts, rates and caps, alone and together."""

import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from apps.accounts.models import Project
from apps.deliveries import store
from apps.deliveries.engine import claimer
from apps.deliveries.engine.known import Known
from apps.deliveries.models import Attempt, Delivery
from apps.deliveries.states import Edge, State
from apps.deliveries.type_policies import type_policy_delete, type_policy_set
from apps.destinations.models import Destination
from apps.destinations.services import destination_change, destination_delete
from apps.events.models import EventType
from apps.events.services import event_type_create
from apps.kernel.clock import now
from tests.integration.cast import ACTOR, a_delivery, a_destination, a_project, an_event
from tests.integration.deliveries.engine_room import Running, attempted, make_due, run_until, watched_lines
from tests.integration.threads import at_once
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)
LEASE = timedelta(seconds=60)


@pytest.fixture
def project() -> Project:
    return a_project()


def fill(destination: Destination, count: int) -> None:
    for _ in range(count):
        a_delivery(an_event(destination.project), destination)


def take(asked: dict[UUID, int], known: Known | None = None) -> claimer.Catch:
    return claimer.run_once(
        asked=asked, limit=1_000, bytes_left=1_000_000, alone=False, lease=LEASE, known=known or Known()
    )


def only() -> Delivery:
    return Delivery.objects.get()


# Schedules


def test_a_schedule_of_ones_own(receiver: Receiver, project: Project) -> None:
    policy = {"retry": {"schedule": [60], "jitter": 0}}
    fill(a_destination(project, receiver.url("/fail"), policy=policy), 1)
    before = now()
    run_until(attempted(1))
    assert before + timedelta(seconds=60) <= only().due_at <= now() + timedelta(seconds=60)
    make_due()
    run_until(attempted(1))
    assert (only().state, only().reason, only().attempts) == (State.DEAD, Edge.EXHAUSTED, 2)


def test_what_its_event_type_says_counts_where_the_destination_is_silent(receiver: Receiver, project: Project) -> None:
    event_type = event_type_create(project=project, name="invoice.paid", actor=ACTOR)
    type_policy_set(event_type=event_type, policy={"retry": {"schedule": []}}, actor=ACTOR)
    silent = a_destination(project, receiver.url("/fail"))
    speaking = a_destination(project, receiver.url("/fail"), policy={"retry": {"schedule": [60]}})
    fill(silent, 1)
    fill(speaking, 1)
    a_delivery(an_event(project, type="another.type"), silent)
    run_until(attempted(3))
    rows = {(row.destination_id, row.event.type): row.state for row in Delivery.objects.select_related("event")}
    assert rows[silent.pk, "invoice.paid"] == State.DEAD
    assert rows[speaking.pk, "invoice.paid"] == rows[silent.pk, "another.type"] == State.READY


def test_an_engine_learns_of_event_types_while_it_runs(receiver: Receiver, project: Project) -> None:
    known = Known()
    known.read_once()
    event_type = event_type_create(project=project, name="invoice.paid", actor=ACTOR)
    type_policy_set(event_type=event_type, policy={"timeout": 3}, actor=ACTOR)
    destination = a_destination(project)
    for expected in (15, 3):
        fill(destination, 1)
        [parcel] = take({destination.pk: 5}, known).parcels
        assert parcel.terms.timeout == expected
        known.read()
    type_policy_delete(event_type=EventType.objects.get(), actor=ACTOR)
    known.read()
    assert known.type_policies == {}


def test_too_old_is_given_up_and_a_replay_begins_anew(receiver: Receiver, project: Project) -> None:
    policy = {"retry": {"schedule": [60] * 5, "max_age": 3_600}}
    destination = a_destination(project, receiver.url("/fail"), policy=policy)
    long_ago = now() - timedelta(hours=2)
    a_delivery(an_event(project), destination, created_at=long_ago, due_at=long_ago)
    run_until(attempted(1))
    assert only().state == State.DEAD
    store.replay(Delivery.objects.all(), now=now())
    run_until(attempted(1))
    assert (only().state, only().failures) == (State.READY, 1)
    make_due()
    run_until(attempted(1))  # its age is that of the replay still: the first attempt after it says so
    assert (only().state, only().failures) == (State.READY, 2)
    Attempt.objects.filter(number=2).update(started_at=long_ago)
    make_due()
    run_until(attempted(1))
    assert only().state == State.DEAD


# Timeouts and leases


def test_a_timeout_of_ones_own(receiver: Receiver, project: Project) -> None:
    fill(a_destination(project, receiver.url("/hang"), policy={"timeout": 0.2}), 1)
    run_until(attempted(1))
    assert (only().last_error, only().state) == ("timeout", State.READY)
    assert Attempt.objects.get().duration_ms < 5_000


def test_a_long_timeout_gets_a_longer_lease(project: Project) -> None:
    usual, patient = a_destination(project), a_destination(project, policy={"timeout": 60})
    fill(usual, 1)
    fill(patient, 1)
    parcels = take({usual.pk: 1, patient.pk: 1}).parcels
    leases = {row.destination_id: row.lease_until or now() for row in Delivery.objects.all()}
    assert leases[usual.pk] < now() + LEASE
    assert leases[patient.pk] > now() + timedelta(seconds=60 + 2 * claimer.MARGIN)
    for one in parcels:
        left = (leases[one.destination_id] - now()).total_seconds()
        assert (
            0 < one.send_by - time.monotonic() < left - one.terms.timeout
        )  # it ends, and is written, within its lease


def test_what_waited_beyond_its_lease_is_given_back_and_not_sent(
    receiver: Receiver, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a SIGSTOP: the engine goes on where it was, and others may have taken over."""
    fill(a_destination(project, receiver.url("/hook")), 1)
    real = claimer.run_once

    def held_up(**asked: Any) -> claimer.Catch:
        catch = real(**asked)
        for one in catch.parcels:
            one.send_by = time.monotonic() - 0.001
        return catch

    monkeypatch.setattr(claimer, "run_once", held_up)
    line = run_until(lambda lines: lines.wait_for("delivery.given_back")).of("delivery.given_back")[0]
    assert line["outcome"] == Edge.INTERRUPTED
    assert receiver.requests == []
    assert not Attempt.objects.exists()
    assert (only().state, only().attempts, only().claim) == (State.READY, 0, None)


# Rates


def test_a_rate_is_held_by_two_engines_together(receiver: Receiver, project: Project) -> None:
    """Five at once and twenty a second: the 25th is a second after the first at the earliest."""
    policy = {"rate_limit": {"per_second": 20, "burst": 5}}
    limited = a_destination(project, receiver.url("/hook"), policy=policy)
    fill(limited, 25)
    free = a_destination(project, receiver.url("/hook"))
    before = now()
    with watched_lines() as lines, Running(), Running():
        lines.wait_for("delivery.attempted", 5)
        fill(free, 5)
        lines.wait_for("delivery.attempted", 30)
    begun = sorted(Attempt.objects.filter(delivery__destination=limited).values_list("started_at", flat=True))
    assert len(begun) == 25
    assert begun[-1] - before >= timedelta(seconds=1)
    assert set(Delivery.objects.values_list("state", flat=True)) == {State.DELIVERED}


def test_tokens_are_taken_for_what_was_claimed_only(project: Project) -> None:
    destination = a_destination(project, policy={"rate_limit": {"per_second": 0.01, "burst": 10}})
    known = Known()
    assert take({destination.pk: 8}, known).again == {destination.pk}  # it is found to be limited
    fill(destination, 4)
    assert take({destination.pk: 8}, known).claimed == {destination.pk: 4}
    fill(destination, 20)
    catch = take({destination.pk: 8}, known)
    assert catch.claimed == {destination.pk: 6}
    assert 90 < catch.rests[destination.pk] <= 100
    catch = take({destination.pk: 8}, known)
    assert (catch.claimed, catch.asked) == ({}, {})
    assert catch.rests[destination.pk] > 90


def test_a_limit_counts_from_the_moment_it_is_set(project: Project) -> None:
    """However sure an engine is that there is none."""
    destination, known = a_destination(project), Known()
    fill(destination, 10)
    assert take({destination.pk: 2}, known).claimed == {destination.pk: 2}
    destination_change(destination=destination, policy={"max_in_flight": 3}, actor=ACTOR)
    assert take({destination.pk: 8}, known).claimed == {}
    assert take({destination.pk: 8}, known).claimed == {destination.pk: 1}
    destination_change(destination=destination, policy={"max_in_flight": None}, actor=ACTOR)
    catch = take({destination.pk: 8}, known)
    if not catch.claimed:
        assert catch.again == {destination.pk}
        catch = take({destination.pk: 8}, known)
    assert catch.claimed == {destination.pk: 7}
    assert known.limited == set()


# Caps


def overlapping() -> int:
    """How many attempts were under way at once, at most. Durations are rounded: a millisecond less is sure."""
    moments = Counter[Any]()
    for started_at, duration_ms in Attempt.objects.values_list("started_at", "duration_ms"):
        moments[started_at] += 1
        moments[started_at + timedelta(milliseconds=max(0, duration_ms - 2))] -= 1
    level = most = 0
    for moment in sorted(moments):
        level += moments[moment]
        most = max(most, level)
    return most


def test_a_cap_is_held_by_two_engines_together(receiver: Receiver, project: Project) -> None:
    fill(a_destination(project, receiver.url("/slow/30"), policy={"max_in_flight": 3}), 24)
    with watched_lines() as lines, Running(), Running():
        lines.wait_for("delivery.attempted", 24)
    assert 2 <= overlapping() <= 3
    assert set(Delivery.objects.values_list("state", flat=True)) == {State.DELIVERED}


def test_engines_that_claim_at_the_same_moment_never_pass_the_cap(project: Project) -> None:
    destination = a_destination(project, policy={"max_in_flight": 7, "rate_limit": {"per_second": 0.001, "burst": 9}})
    fill(destination, 40)

    def engine() -> int:
        known = Known()
        return sum(take({destination.pk: 2}, known).claimed.total() for _ in range(8))

    taken = at_once([engine] * 4)
    assert [one for one in taken if isinstance(one, Exception)] == []
    assert Delivery.objects.filter(state=State.SENDING).count() <= 7
    take_until_nothing(destination)
    held = Delivery.objects.filter(state=State.SENDING)
    assert held.count() == 7
    held.update(state=State.DELIVERED, claim=None, lease_until=None, finished_at=now())
    assert take_until_nothing(destination) == 2  # of nine tokens seven were used


def take_until_nothing(destination: Destination) -> int:
    known, total = Known(), 0
    for _ in range(5):
        total += take({destination.pk: 10}, known).claimed.total()
    return total


def test_what_waits_for_a_deleted_one_is_cancelled_whatever_its_limits(project: Project) -> None:
    destination = a_destination(project, policy={"rate_limit": {"per_second": 0.001}})
    fill(destination, 5)
    destination_delete(destination=destination, actor=ACTOR)
    assert take_until_nothing(destination) == 5


def test_terms_are_the_same_object_for_the_same_policy(project: Project) -> None:
    """Nothing is parsed or compiled for each delivery."""
    destination = a_destination(project, policy={"retry": {"schedule": [1, 2]}})
    fill(destination, 3)
    parcels = take({destination.pk: 3}).parcels
    assert len({id(one.terms) for one in parcels}) == 1
    assert replace(parcels[0].terms) == parcels[0].terms
