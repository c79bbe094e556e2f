"""The circuit breaker at work: shared by engines, no attempts burned, probed by one, drained, given up, reset."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from apps.accounts.models import Project
from apps.audit.models import AuditEntry
from apps.deliveries import store
from apps.deliveries.breakers import breakers_judge
from apps.deliveries.engine import claimer, settler
from apps.deliveries.engine.attempt import Attempted
from apps.deliveries.engine.known import Known
from apps.deliveries.engine.parcel import pack
from apps.deliveries.models import Attempt, Breaker, Delivery
from apps.deliveries.policy.breaker import PROBES
from apps.deliveries.policy.retry import Decision
from apps.deliveries.states import Edge, State
from apps.deliveries.store import Claimed
from apps.destinations.kinds import Outcome
from apps.destinations.models import Destination, Status
from apps.destinations.services import destination_change, destination_delete, destination_pause, destination_resume
from apps.kernel.clock import now
from apps.kernel.contention import retried
from tests.acceptance.waiting import eventually
from tests.integration.cast import ACTOR, Caller, a_delivery, a_destination, a_project, an_event, an_id, caller
from tests.integration.deliveries.engine_room import Running, attempted, run_until, watched_lines
from tests.integration.threads import at_once
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)
LEASE = timedelta(seconds=60)
LONG = {"breaker": {"failures": 3, "open_for": 600, "longest": 3_600}}
SHORT = {"breaker": {"failures": 3, "open_for": 0.2, "ramp": 0.1}, "retry": {"schedule": [0.01] * 50}}


@pytest.fixture
def owner(project: Project) -> Caller:
    return caller(project)


def fill(destination: Destination, count: int) -> None:
    for _ in range(count):
        a_delivery(an_event(destination.project), destination)


def fail(destination: Destination, times: int = 3) -> None:
    breakers_judge({destination.pk: [False] * times}, now=now())


def succeed(destination: Destination) -> None:
    breakers_judge({destination.pk: [True]}, now=now())


def informed() -> Known:
    known = Known()
    known.read()
    return known


def take(destination: Destination, wanted: int = 10, known: Known | None = None) -> claimer.Catch:
    return claimer.run_once(
        asked={destination.pk: wanted},
        limit=1_000,
        bytes_left=1_000_000,
        alone=False,
        lease=LEASE,
        known=known or informed(),
    )


def row() -> Breaker:
    return Breaker.objects.get()


def its_time_is_over() -> None:
    Breaker.objects.update(retry_at=now() - timedelta(microseconds=1))


def retry_in() -> float:
    """Seconds."""
    until = row().retry_at
    assert until is not None
    return (until - now()).total_seconds()


def due() -> list[UUID]:
    return store.due_destinations(now=now(), limit=100).due


# While it is open


def test_while_it_is_open_nothing_is_claimed_and_no_look_finds_it(project: Project) -> None:
    broken, sound, unaware = a_destination(project, policy=LONG), a_destination(project, policy=LONG), informed()
    fill(broken, 5)
    fill(sound, 1)
    fail(broken)
    assert row().state == "open"
    assert due() == [sound.pk]
    assert take(broken).claimed == {}
    assert take(broken, known=unaware).claimed == {}  # an engine that has not heard of it yet
    oldest = store.oldest_due(now=now())
    assert oldest == Delivery.objects.get(destination=sound).due_at


def test_engines_burn_no_attempts(receiver: Receiver, project: Project) -> None:
    """Fifty deliveries, and three failures are enough to leave the rest alone."""
    destination = a_destination(project, receiver.url("/fail"), policy=LONG)
    fill(destination, 50)
    run_until(attempted(3), lambda _: receiver.wait_for(3), concurrency=2, claim_set=2)
    spent = Attempt.objects.count()
    assert spent <= 20  # what was under way when the third failure was written
    with watched_lines() as lines, Running(), Running():
        fill(a_destination(project, receiver.url("/hook")), 5)
        lines.wait_for("delivery.attempted", 5)
    assert Attempt.objects.filter(delivery__destination=destination).count() == spent
    assert Delivery.objects.filter(destination=destination).values_list("state").distinct().get() == (State.READY,)


def test_a_success_on_an_untroubled_destination_writes_no_row(receiver: Receiver, project: Project) -> None:
    fill(a_destination(project, receiver.url("/hook")), 5)
    run_until(attempted(5))
    assert not Breaker.objects.exists()


def test_a_few_failures_are_forgotten_with_a_success(receiver: Receiver, project: Project) -> None:
    destination = a_destination(project, receiver.url("/fail"), policy=LONG)
    fill(destination, 1)
    run_until(attempted(1))
    assert (row().state, row().failures) == ("closed", 1)
    destination_change(destination=destination, config={"url": receiver.url("/hook"), "headers": {}}, actor=ACTOR)
    fill(destination, 1)
    run_until(attempted(1))
    assert not Breaker.objects.exists()


# Its end


def test_one_engine_probes_with_few(project: Project) -> None:
    destination, unaware = a_destination(project, policy=LONG), informed()
    fill(destination, 10)
    fail(destination)
    its_time_is_over()
    assert due() == [destination.pk]
    assert take(destination, known=unaware).claimed == {}
    assert take(destination).claimed == {destination.pk: PROBES}
    assert row().state == "half_open"
    assert retry_in() > 50
    assert due() == []
    assert take(destination).claimed == {}


def test_of_engines_that_come_at_once_one_probes(project: Project) -> None:
    destination = a_destination(project, policy=LONG)
    fill(destination, 20)
    fail(destination)
    its_time_is_over()

    def probe() -> int:
        return take(destination).claimed.total()

    caught = at_once([probe] * 4)
    assert sorted(caught, key=str) == [0, 0, 0, PROBES]


def test_a_probe_with_nothing_to_send_changes_nothing(project: Project) -> None:
    destination = a_destination(project, policy=LONG)
    fail(destination)
    its_time_is_over()
    assert take(destination).claimed == {}
    assert row().state == "open"


def test_another_probes_when_the_prober_died(project: Project) -> None:
    destination = a_destination(project, policy=LONG)
    fill(destination, 10)
    fail(destination)
    its_time_is_over()
    take(destination)
    its_time_is_over()
    assert take(destination).claimed == {destination.pk: PROBES}


def test_a_probe_that_was_given_back_does_not_keep_others_from_probing(project: Project) -> None:
    destination = a_destination(project, policy=LONG)
    fill(destination, 10)
    fail(destination)
    its_time_is_over()
    ended = [
        Attempted(one, Outcome(), Decision(Edge.INTERRUPTED), now(), rest=2.0) for one in take(destination).parcels
    ]
    assert retry_in() > 20
    settler.run_once(ended, informed())
    assert (row().state, row().failures) == ("half_open", 3)
    assert 1 < retry_in() <= 2
    its_time_is_over()
    assert take(destination).claimed == {destination.pk: PROBES}


def test_a_failed_probe_opens_it_for_twice_as_long(project: Project) -> None:
    destination = a_destination(project, policy=LONG)
    fill(destination, 10)
    fail(destination)
    its_time_is_over()
    take(destination)
    fail(destination, 1)
    assert (row().state, row().opened, row().failures) == ("open", 2, 4)
    assert 1_190 < retry_in() <= 1_200


def test_it_drains_when_the_receiver_is_well_again(receiver: Receiver, project: Project) -> None:
    destination = a_destination(project, receiver.url("/fail"), policy=SHORT)
    fill(destination, 30)
    with watched_lines() as lines, Running(), Running():
        lines.wait_for("delivery.attempted", 3)
        destination_change(destination=destination, config={"url": receiver.url("/hook"), "headers": {}}, actor=ACTOR)
        eventually(lambda: not Delivery.objects.exclude(state=State.DELIVERED).exists())
    assert set(Delivery.objects.values_list("state", flat=True)) == {State.DELIVERED}
    told = {(line["type"]) for line in lines.of("operational.notice")}
    assert told == {"destination.failing", "destination.recovered"}


def test_the_pace_is_raised_over_the_ramp(project: Project) -> None:
    destination = a_destination(project, policy={"breaker": {"failures": 3, "ramp": 1_000}})
    fail(destination)
    succeed(destination)
    known = informed()
    [ramp] = known.ramps.values()
    assert ramp.seconds == 1_000
    assert row().closed_at is not None
    Breaker.objects.update(closed_at=now() - timedelta(seconds=1_001))
    known.read()
    assert known.ramps == {}
    succeed(destination)
    assert not Breaker.objects.exists()


# Given up


def test_it_is_disabled_after_so_long_without_a_success(receiver: Receiver, project: Project) -> None:
    destination = a_destination(project, receiver.url("/fail"), policy={"disable_after": 3_600})
    fill(destination, 2)
    run_until(attempted(2))
    Breaker.objects.update(failing_since=now() - timedelta(seconds=3_599))
    store.hasten(Delivery.objects.all(), now=now())
    Destination.objects.update(status_at=now() - timedelta(days=1))
    Breaker.objects.update(failing_since=now() - timedelta(seconds=3_601))
    lines = run_until(attempted(2))
    destination.refresh_from_db()
    assert (destination.status, destination.status_reason) == (Status.DISABLED, "failing")
    [notice] = lines.of("operational.notice")
    assert (notice["type"], notice["data"]["reason"]) == ("destination.disabled", "failing")
    assert AuditEntry.objects.filter(action="destination.disabled", actor_kind="system").count() == 1
    assert Delivery.objects.filter(state=State.READY).count() == 2  # they wait


def settle(destination: Destination, edge: Edge, known: Known, at: datetime) -> None:
    """One attempt that ended like that, written at that moment by an engine that knows this."""
    row = a_delivery(an_event(destination.project), destination, State.SENDING, lease_until=at + LEASE)
    [parcel] = pack(
        [
            Claimed(
                *(row.pk, row.claim or row.pk, row.project_id, row.event_id, row.destination_id, 0, 0, at, at),
                *("invoice.paid", at, b"{}", ""),
            )
        ]
    )
    settler.run_once([Attempted(parcel, Outcome(status_code=200), Decision(edge), at)], known)
    Attempt.objects.filter(delivery=row).update(id=an_id(at))


@pytest.mark.parametrize("state", ["closed", "open"])
def test_a_success_that_another_engine_did_not_count_is_one(project: Project, state: str) -> None:
    """It settled it before it had heard of the first failure."""
    destination, first = a_destination(project, policy={"disable_after": 3_600}), now() - timedelta(hours=2)
    Destination.objects.update(status_at=first - timedelta(days=1))
    unaware, other = informed(), informed()
    settle(destination, Edge.FAILED, other, first)
    settle(destination, Edge.SUCCEEDED, unaware, first + timedelta(seconds=0.3))
    assert row().failures == 1  # nothing was forgotten
    Breaker.objects.update(failing_since=first, state=state, retry_at=first)
    before = now()
    settle(destination, Edge.FAILED, other, before)
    destination.refresh_from_db()
    assert destination.status == Status.ENABLED
    assert (row().state, row().failures) == (state, 1)
    since = row().failing_since
    assert since is not None
    assert since >= before
    Breaker.objects.update(failing_since=now() - timedelta(seconds=3_601))
    settle(destination, Edge.FAILED, other, now())
    destination.refresh_from_db()
    assert (destination.status, destination.status_reason) == (Status.DISABLED, "failing")


def test_a_success_of_another_destination_or_another_time_saves_none(project: Project) -> None:
    destination, other = (a_destination(project, policy={"disable_after": 3_600}) for _ in range(2))
    first = now() - timedelta(hours=2)
    Destination.objects.update(status_at=first - timedelta(days=1))
    settle(destination, Edge.SUCCEEDED, informed(), first - timedelta(seconds=1))
    settle(destination, Edge.FAILED, informed(), first)
    settle(other, Edge.SUCCEEDED, informed(), first + timedelta(seconds=0.3))
    Breaker.objects.update(failing_since=first)
    settle(destination, Edge.FAILED, informed(), now())
    destination.refresh_from_db()
    assert destination.status == Status.DISABLED


def test_who_resumes_it_wants_it_tried_at_once(project: Project) -> None:
    destination, unaware = a_destination(project, policy=LONG), informed()
    fill(destination, 5)
    fail(destination)
    destination_pause(destination=destination, actor=ACTOR)
    destination_resume(destination=destination, actor=ACTOR)
    assert due() == [destination.pk]
    assert take(destination, known=unaware).claimed == {destination.pk: 5}
    fail(destination, 1)
    assert (row().state, row().failures, row().opened) == ("closed", 1, 0)


def test_what_waits_for_a_deleted_one_is_cancelled(project: Project) -> None:
    destination = a_destination(project, policy=LONG)
    fill(destination, 5)
    fail(destination)
    destination_delete(destination=destination, actor=ACTOR)
    assert due() == [destination.pk]
    assert take(destination).claimed == {destination.pk: 5}
    fail(destination, 1)
    assert not Breaker.objects.exists()


def test_deaths_are_told(receiver: Receiver, project: Project) -> None:
    fill(a_destination(project, receiver.url("/fail"), policy={"retry": {"schedule": []}}), 1)
    fill(a_destination(project, receiver.url("/gone")), 1)
    lines = run_until(attempted(2))
    data: list[tuple[str, Any]] = [(line["type"], line["data"]) for line in lines.of("operational.notice")]
    told = [(kind, one["reason"]) for kind, some in data for one in some.get("deliveries", [some])]
    assert sorted(told) == [
        ("delivery.dead", "exhausted"),
        ("delivery.dead", "rejected"),
        ("destination.disabled", "gone"),
    ]


# By hand


def test_counts_of_engines_that_settle_at_once_add_up(project: Project) -> None:
    destination = a_destination(project, policy={"breaker": {"failures": 1_000}})

    def settle() -> None:
        for _ in range(5):
            retried(lambda: fail(destination, 1))

    done = at_once([settle] * 4)
    assert [one for one in done if isinstance(one, Exception)] == []
    assert row().failures == 20


def test_the_api_shows_it_and_a_person_closes_it(owner: Caller, project: Project) -> None:
    destination = a_destination(project, policy=LONG)
    path = f"destinations/{destination.public_id}/breaker"
    untroubled = {"state": "closed", "failures": 0, "failing_since": None, "retry_at": None, "closed_at": None}
    assert owner.get(path).body == untroubled
    fail(destination)
    shown = owner.get(path).body
    assert (shown["state"], shown["failures"]) == ("open", 3)
    assert None not in {shown["failing_since"], shown["retry_at"]}
    answer = owner.post(f"{path}/reset")
    assert (answer.status, answer.body) == (200, untroubled)
    assert not Breaker.objects.exists()
    assert AuditEntry.objects.filter(action="destination.breaker_reset", target=destination.public_id).count() == 1
    assert owner.post(f"{path}/reset").body == untroubled  # again, and where there was nothing
    assert caller(a_project()).get(path).status == 404
    assert caller(project, ["destinations:read"]).post(f"{path}/reset").status == 403
