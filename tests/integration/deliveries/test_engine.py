"""The engine end to end: real rows, real threads, a real receiver; what becomes of each delivery."""

import json
from datetime import timedelta

import pytest
from standardwebhooks import Webhook

from apps.accounts.models import Project
from apps.audit.models import AuditEntry
from apps.deliveries.models import Attempt, Delivery
from apps.deliveries.policy.retry import DEFAULT_SCHEDULE
from apps.deliveries.services import delivery_retry, destination_test
from apps.deliveries.states import Edge, State
from apps.deliveries.wakeups import announce
from apps.destinations.models import Destination, Secret, Status
from apps.destinations.secrets import secret_rotate
from apps.destinations.services import destination_create, destination_delete, destination_pause
from apps.events.models import Event
from apps.kernel.clock import now
from tests.integration.cast import ACTOR, a_delivery, a_destination, a_project, an_event
from tests.integration.deliveries.engine_room import Lines, attempted, make_due, run_until
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    return a_project()


def to(receiver: Receiver, project: Project, path: str = "/hook") -> Delivery:
    """A new event, due at a new destination with that path."""
    return a_delivery(an_event(project), a_destination(project, receiver.url(path)))


def only() -> Delivery:
    return Delivery.objects.get()


def test_delivered(receiver: Receiver, project: Project) -> None:
    destination, secret = destination_create(
        project=project, kind="webhook", config={"url": receiver.url("/hook")}, event_types=["*"], actor=ACTOR
    )
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    event = an_event(project, data=b'{"big": 123456789012345678901234567890, "f": 1.10}', traceparent=trace)
    a_delivery(event, destination)
    lines = run_until(attempted(1))
    [request] = receiver.requests
    assert (request.method, request.path, request.headers["webhook-id"]) == ("POST", "/hook", event.public_id)
    assert request.headers["traceparent"] == trace
    assert Webhook(secret).verify(request.body, request.headers)["type"] == "invoice.paid"
    assert request.body.endswith(b'"data":' + event.data + b"}")
    row = only()
    assert (row.state, row.reason, row.attempts, row.failures) == (State.DELIVERED, Edge.SUCCEEDED, 1, 0)
    assert row.finished_at is not None
    attempt = Attempt.objects.get()
    assert (attempt.number, attempt.outcome, attempt.status_code) == (1, Edge.SUCCEEDED, 200)
    assert (bytes(attempt.response_body), attempt.error) == (b"ok", "")
    [line] = lines.of("delivery.attempted")
    assert (line["delivery_id"], line["event_id"]) == (row.public_id, event.public_id)
    assert (line["outcome"], line["status_code"], line["attempt"]) == ("succeeded", 200, 1)
    assert line["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"


def test_the_whole_schedule_until_it_is_exhausted(receiver: Receiver, project: Project) -> None:
    to(receiver, project, "/fail")
    for number, seconds in enumerate(DEFAULT_SCHEDULE, 1):
        before = now()
        run_until(attempted(1))
        row = only()
        assert (row.state, row.reason, row.attempts, row.failures) == (State.READY, Edge.FAILED, number, number)
        assert before + timedelta(seconds=0.9 * seconds) <= row.due_at <= now() + timedelta(seconds=1.1 * seconds)
        make_due()
    run_until(attempted(1))
    row = only()
    assert (row.state, row.reason, row.attempts, row.last_status_code) == (State.DEAD, Edge.EXHAUSTED, 8, 500)
    assert [attempt.number for attempt in Attempt.objects.all()] == list(range(1, 9))
    assert bytes(Attempt.objects.all()[0].response_body) == b"it broke"
    requests = receiver.requests
    assert len({request.headers["webhook-id"] for request in requests}) == 1
    assert len({request.body for request in requests}) == 1  # byte-identical on every attempt
    assert len(requests) == 8


def test_a_retry_succeeds(receiver: Receiver, project: Project) -> None:
    to(receiver, project, "/flaky/1")
    run_until(attempted(1))
    assert only().state == State.READY
    make_due()
    run_until(attempted(1))
    assert (only().state, only().attempts, only().last_status_code) == (State.DELIVERED, 2, 200)


def test_what_is_not_due_stays(receiver: Receiver, project: Project) -> None:
    waiting = to(receiver, project)
    Delivery.objects.update(due_at=now() + timedelta(hours=1))
    to(receiver, project)
    run_until(attempted(1))
    assert Delivery.objects.get(pk=waiting.pk).state == State.READY
    assert len(receiver.requests) == 1


def test_gone_ends_the_delivery_and_disables_the_destination(receiver: Receiver, project: Project) -> None:
    destination = to(receiver, project, "/gone").destination
    run_until(attempted(1))
    assert (only().state, only().reason, only().last_status_code) == (State.DEAD, Edge.REJECTED, 410)
    destination.refresh_from_db()
    assert (destination.status, destination.status_reason) == (Status.DISABLED, "gone")
    assert AuditEntry.objects.filter(action="destination.disabled", actor_kind="system").count() == 1
    waiting, other = a_delivery(an_event(project), destination), to(receiver, project)
    run_until(attempted(1))
    assert Delivery.objects.get(pk=waiting.pk).state == State.READY  # held back, not lost
    assert Delivery.objects.get(pk=other.pk).state == State.DELIVERED


def test_a_receiver_that_asks_for_time_gets_it(receiver: Receiver, project: Project) -> None:
    to(receiver, project, "/limited")  # Retry-After: 7, and the schedule says 5 ± 10 %
    before = now()
    run_until(attempted(1))
    assert before + timedelta(seconds=7) <= only().due_at <= now() + timedelta(seconds=7)
    assert only().last_status_code == 429


@pytest.mark.parametrize(("path", "error"), [("/close", "connect_failed"), ("/garbage", "protocol_error")])
def test_no_answer_is_a_failed_attempt(receiver: Receiver, project: Project, path: str, error: str) -> None:
    to(receiver, project, path)
    run_until(attempted(1))
    assert (only().state, only().last_status_code, only().last_error) == (State.READY, None, error)
    assert Attempt.objects.get().error == error


def test_a_deleted_destination_gets_nothing_more(receiver: Receiver, project: Project) -> None:
    destination = to(receiver, project).destination
    destination_delete(destination=destination, actor=ACTOR)
    run_until(lambda lines: lines.wait_for("delivery.cancelled"))
    row = only()
    assert (row.state, row.reason, row.attempts) == (State.CANCELLED, Edge.CANCELLED, 0)
    assert receiver.requests == []
    assert not Attempt.objects.exists()


def test_a_delivery_whose_event_is_gone_is_cancelled_alone(receiver: Receiver, project: Project) -> None:
    """No constraint holds the two together: events are pruned, and rows are restored from backups."""
    orphan, sound = to(receiver, project), to(receiver, project)
    Event.objects.filter(pk=orphan.event_id).delete()
    run_until(lambda lines: lines.wait_for("delivery.cancelled"), attempted(1))
    assert Delivery.objects.get(pk=orphan.pk).state == State.CANCELLED
    assert Delivery.objects.get(pk=sound.pk).state == State.DELIVERED
    assert len(receiver.requests) == 1


def test_a_paused_destination_gets_its_deliveries_when_it_resumes(receiver: Receiver, project: Project) -> None:
    paused = to(receiver, project)
    destination_pause(destination=paused.destination, actor=ACTOR)
    to(receiver, project)
    run_until(attempted(1))
    assert Delivery.objects.get(pk=paused.pk).state == State.READY
    Destination.objects.update(status=Status.ENABLED)
    run_until(attempted(1))
    assert Delivery.objects.get(pk=paused.pk).state == State.DELIVERED


@pytest.mark.parametrize("damage", ["secret", "config"])
def test_one_that_cannot_be_unsealed_fails_alone(receiver: Receiver, project: Project, damage: str) -> None:
    broken, sound = to(receiver, project), to(receiver, project)
    if damage == "secret":
        Secret.objects.filter(destination=broken.destination).update(sealed="embedded:AAAA")
    else:
        Destination.objects.filter(pk=broken.destination_id).update(sealed_config="nokey:AAAA")
    run_until(attempted(2))
    failed, delivered = (Delivery.objects.get(pk=one.pk) for one in (broken, sound))
    assert (failed.state, failed.last_error, failed.attempts) == (State.READY, "secrets_unreadable", 1)
    assert failed.due_at > now()
    assert delivered.state == State.DELIVERED
    assert len(receiver.requests) == 1


def test_a_kind_that_is_not_installed_fails_alone(receiver: Receiver, project: Project) -> None:
    broken, sound = to(receiver, project), to(receiver, project)
    Destination.objects.filter(pk=broken.destination_id).update(kind="telegraph")
    run_until(attempted(2))
    assert Delivery.objects.get(pk=broken.pk).last_error == "unknown_kind"
    assert Delivery.objects.get(pk=sound.pk).state == State.DELIVERED


def test_all_live_secrets_sign_during_a_rotation(receiver: Receiver, project: Project) -> None:
    destination, old = destination_create(
        project=project, kind="webhook", config={"url": receiver.url("/hook")}, event_types=["*"], actor=ACTOR
    )
    new = secret_rotate(destination=destination, actor=ACTOR).secret
    a_delivery(an_event(project), destination)
    run_until(attempted(1))
    [request] = receiver.requests
    assert len(request.headers["webhook-signature"].split(" ")) == 2
    for secret in (old, new):
        assert Webhook(secret).verify(request.body, request.headers)
    secret_rotate(destination=destination, actor=ACTOR, overlap=timedelta(0))
    a_delivery(an_event(project), destination)
    run_until(attempted(1))
    assert len(receiver.requests[-1].headers["webhook-signature"].split(" ")) == 1


def test_the_same_event_to_many_destinations(receiver: Receiver, project: Project) -> None:
    event = an_event(project)
    for number in range(5):
        a_delivery(event, a_destination(project, receiver.url(f"/hook/{number}")))
    run_until(attempted(5))
    assert sorted(request.path for request in receiver.requests) == [f"/hook/{number}" for number in range(5)]
    assert json.loads(receiver.requests[0].body)["data"] == {"id": "in_42"}
    assert set(Delivery.objects.values_list("state", flat=True)) == {State.DELIVERED}


def test_a_wake_up_is_enough(receiver: Receiver, project: Project) -> None:
    """The first look finds the first one; the second would be found by no look while the test lasts."""

    def publish(lines: Lines) -> None:
        lines.wait_for("delivery.attempted", 1)
        announce([to(receiver, project).destination_id])

    to(receiver, project)
    run_until(publish, attempted(2), look=300.0, look_deaf=300.0)
    assert set(Delivery.objects.values_list("state", flat=True)) == {State.DELIVERED}


def test_people_wake_the_engine(receiver: Receiver, project: Project) -> None:
    delivery = to(receiver, project)

    def retry(lines: Lines) -> None:
        lines.wait_for("delivery.attempted", 1)
        delivery_retry(delivery=only(), actor=ACTOR)

    def test(lines: Lines) -> None:
        lines.wait_for("delivery.attempted", 2)
        destination_test(destination=delivery.destination, actor=ACTOR)

    run_until(retry, test, attempted(3), look=300.0, look_deaf=300.0)
    assert len(receiver.requests) == 3
