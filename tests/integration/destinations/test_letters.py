"""How many letters a tenant can have sent: so many e-mail destinations, a test now and then, so many in all."""

from collections.abc import Callable
from datetime import timedelta
from threading import Event as Signal
from typing import Any

import pytest
from django.db import transaction
from pytest_django import Settings

from apps.accounts.models import Project
from apps.deliveries.models import Delivery
from apps.deliveries.operations.services import operation_create
from apps.deliveries.services import BETWEEN_LETTERS, delivery_retry, destination_test, event_replay
from apps.deliveries.states import State
from apps.destinations.kinds.email.server import MailServer as Address
from apps.destinations.letters import DAY, MINUTE, MOST_IN_A_DAY, MOST_IN_A_MINUTE
from apps.destinations.models import Destination, Letter
from apps.destinations.services import MOST_OPERATIONAL, destination_change, destination_delete
from apps.events.models import Event
from apps.kernel.clock import now
from apps.kernel.errors import Conflict, NotFound
from apps.kernel.ids import first_id
from tests.integration.cast import ACTOR, Caller, a_delivery, a_destination, a_project, an_event, an_id
from tests.integration.deliveries.operating import asked, done, some, states
from tests.integration.threads import PATIENCE, at_once

pytestmark = pytest.mark.django_db
EMAIL: dict[str, Any] = {"kind": "email", "operational": True, "config": {"to": ["ops@example.com"]}}
LONG_ENOUGH = 0.5  # seconds in which whoever is held up by nothing is done


@pytest.fixture(autouse=True)
def mail(settings: Settings) -> None:
    settings.MAIL_SERVER, settings.MAIL_FROM = Address("127.0.0.1", 9, "off"), "trunkline@example.com"


def one_after_the_other[R](first: Callable[[], R], second: Callable[[], R]) -> list[R | Exception]:
    """The second begins before the first's transaction ends: what each returned or raised."""
    has_acted, is_done = Signal(), Signal()

    def act_and_linger() -> R:
        with transaction.atomic():
            made = first()
            has_acted.set()
            is_done.wait(LONG_ENOUGH)
        return made

    def follow() -> R:
        assert has_acted.wait(PATIENCE)
        try:
            return second()
        finally:
            is_done.set()

    return at_once([act_and_linger, follow])


# So many destinations


def test_a_project_has_so_many_e_mail_destinations_whoever_they_are_for(owner: Caller) -> None:
    for number in range(MOST_OPERATIONAL):
        a_destination(owner.project, consumer=f"c{number % 3}", **EMAIL)
    wanted = {"kind": "email", "to": ["ops@example.com"], "operational": True}
    for consumer in (None, "c0", "new"):
        refused = owner.post("destinations", {**wanted, "consumer": consumer})
        assert (refused.status, refused.body["code"]) == (409, "too_many_operational")
        assert "20 destinations of the kind email" in refused.body["detail"]
    a_destination(a_project(), **EMAIL)  # another project's matter
    destination_delete(destination=Destination.objects.filter(project=owner.project)[0], actor=ACTOR)
    assert owner.post("destinations", wanted).status == 201


@pytest.mark.django_db(transaction=True)
def test_two_at_once_are_not_both_the_last_one() -> None:
    project = a_project()
    for number in range(MOST_OPERATIONAL - 1):  # of consumers that are there: making one holds the project, too
        a_destination(project, consumer="ab"[number % 2], **EMAIL)
    last = one_after_the_other(
        lambda: a_destination(project, consumer="a", **EMAIL), lambda: a_destination(project, consumer="b", **EMAIL)
    )
    assert isinstance(last[0], Destination)
    assert isinstance(last[1], Conflict)
    assert last[1].code == "too_many_operational"
    assert project.destinations.count() == MOST_OPERATIONAL


# Tests


def earlier(destination: Destination, ago: timedelta, kind: str = "trunkline.test") -> Delivery:
    moment = now() - ago
    return a_delivery(an_event(destination.project, type=kind), destination, created_at=moment)


def test_a_second_test_within_the_minute_is_too_soon(owner: Caller) -> None:
    destination, other = a_destination(owner.project, **EMAIL), a_destination(owner.project, **EMAIL)
    path = f"destinations/{destination.public_id}/test"
    assert owner.post(path).status == 202
    refused = owner.post(path)
    assert (refused.status, refused.body["code"]) == (409, "too_soon")
    assert "test" in refused.body["detail"]
    assert Event.objects.count() == 1
    assert owner.post(f"destinations/{other.public_id}/test").status == 202


def test_a_minute_later_it_is_not(project: Project) -> None:
    destination = a_destination(project, **EMAIL)
    earlier(destination, BETWEEN_LETTERS + timedelta(seconds=1))
    destination_test(destination=destination, actor=ACTOR)
    assert Delivery.objects.filter(pk__gte=first_id(now() - BETWEEN_LETTERS)).count() == 1


def test_notices_are_no_tests(project: Project) -> None:
    destination = a_destination(project, **EMAIL)
    earlier(destination, timedelta(seconds=1), "destination.failing")
    destination_test(destination=destination, actor=ACTOR)
    assert destination.deliveries.count() == 2


def test_webhooks_are_tested_as_often_as_anybody_likes(project: Project) -> None:
    destination = a_destination(project, operational=True)
    for _ in range(3):
        destination_test(destination=destination, actor=ACTOR)


@pytest.mark.django_db(transaction=True)
def test_two_tests_at_once_are_one_letter() -> None:
    destination = a_destination(a_project(), **EMAIL)

    def ask() -> Delivery:
        return destination_test(destination=destination, actor=ACTOR)

    first, second = one_after_the_other(ask, ask)
    assert isinstance(first, Delivery)
    assert isinstance(second, Conflict)
    assert second.code == "too_soon"
    assert destination.deliveries.count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_that_is_deleted_meanwhile_gets_no_letter() -> None:
    destination = a_destination(a_project(), **EMAIL)
    first, second = one_after_the_other(
        lambda: destination_delete(destination=destination, actor=ACTOR), lambda: try_out(destination)
    )
    assert first is None
    assert isinstance(second, NotFound)


def try_out(destination: Destination) -> None:
    destination_test(destination=destination, actor=ACTOR)


# So many in all


def sent_before(project: Project, count: int, ago: timedelta = timedelta()) -> None:
    Letter.objects.bulk_create(Letter(id=an_id(now() - ago), project=project) for _ in range(count))


def a_notice(destination: Destination, state: State = State.DEAD) -> Delivery:
    event = an_event(destination.project, type="destination.failing", source="trunkline")
    return a_delivery(event, destination, state)


def refused(caller: Caller, path: str, body: Any = None) -> str:
    """As too soon: the detail."""
    answer = caller.post(path, body)
    assert (answer.status, answer.body["code"]) == (409, "too_soon")
    return str(answer.body["detail"])


def test_deleting_destinations_makes_no_room_for_more_tests(owner: Caller) -> None:
    for number in range(MOST_IN_A_MINUTE):
        victim = a_destination(owner.project, **{**EMAIL, "config": {"to": [f"victim{number}@example.com"]}})
        destination_test(destination=victim, actor=ACTOR)
        destination_delete(destination=victim, actor=ACTOR)
    another = a_destination(owner.project, **EMAIL)
    detail = refused(owner, f"destinations/{another.public_id}/test")
    assert detail == ("a project may have 20 letters sent by tests, retries and replays in a minute; wait a minute")
    assert not another.deliveries.exists()
    destination_test(destination=a_destination(a_project(), **EMAIL), actor=ACTOR)  # another project's matter


def test_an_old_test_is_not_retried_to_ever_new_people(owner: Caller) -> None:
    destination = a_destination(owner.project, **EMAIL)
    delivery = destination_test(destination=destination, actor=ACTOR)
    for number in range(MOST_IN_A_MINUTE - 1):
        Delivery.objects.filter(pk=delivery.pk).update(state=State.DELIVERED, finished_at=now())
        to = {"to": [f"victim{number}@example.com"]}
        destination = destination_change(destination=destination, config=to, actor=ACTOR)
        assert owner.post(f"deliveries/{delivery.public_id}/retry").status == 202
    Delivery.objects.filter(pk=delivery.pk).update(state=State.DELIVERED, finished_at=now())
    refused(owner, f"deliveries/{delivery.public_id}/retry")
    delivery.refresh_from_db()
    assert delivery.state == State.DELIVERED


@pytest.mark.parametrize("state", [State.READY, State.DEAD, State.CANCELLED])
def test_a_flood_of_retries(state: State, owner: Caller) -> None:
    """Also where one waits for its next attempt, and is hurried again and again."""
    delivery = a_notice(a_destination(owner.project, **EMAIL), state)
    sent_before(owner.project, MOST_IN_A_MINUTE - 1)
    path = f"deliveries/{delivery.public_id}/retry"
    assert owner.post(path).status == 202
    refused(owner, path)


def test_a_flood_of_replays_to_one_and_to_all(owner: Caller) -> None:
    first, second = (a_destination(owner.project, event_types=["*"], **EMAIL) for _ in range(2))
    notice = a_notice(first).event
    path = f"events/{notice.public_id}/replay"
    sent_before(owner.project, MOST_IN_A_MINUTE - 3)
    assert len(owner.post(path, {}).body["data"]) == 2
    refused(owner, path, {})  # for one there is room, for all there is none
    assert owner.post(path, {"destination": second.public_id}).status == 202
    refused(owner, path, {"destination": second.public_id})
    assert Letter.objects.filter(project=owner.project).count() == MOST_IN_A_MINUTE


def test_a_notice_reaches_all_by_one_replay(owner: Caller) -> None:
    """However many there are: else it could never be replayed."""
    for _ in range(MOST_OPERATIONAL):
        a_destination(owner.project, event_types=["*"], **EMAIL)
    notice = an_event(owner.project, type="destination.failing", source="trunkline")
    assert len(owner.post(f"events/{notice.public_id}/replay", {}).body["data"]) == MOST_OPERATIONAL


def test_a_minute_later_there_is_room_and_a_day_has_its_own_limit(owner: Caller) -> None:
    delivery = a_notice(a_destination(owner.project, **EMAIL))
    path = f"deliveries/{delivery.public_id}/retry"
    sent_before(owner.project, MOST_IN_A_DAY - 1, MINUTE + timedelta(seconds=1))
    assert owner.post(path).status == 202
    assert "50 letters" in (detail := refused(owner, path))
    assert detail.endswith("in a day; wait until earlier ones are a day old")


def test_a_day_later_they_are_forgotten(owner: Caller) -> None:
    delivery = a_notice(a_destination(owner.project, **EMAIL))
    sent_before(owner.project, MOST_IN_A_DAY, DAY + timedelta(seconds=1))
    assert owner.post(f"deliveries/{delivery.public_id}/retry").status == 202
    assert Letter.objects.count() == 1


def test_what_is_no_letter_is_not_counted(project: Project) -> None:
    webhook = a_destination(project, operational=True, event_types=["*"])
    delivery = a_notice(webhook)
    sent_before(project, MOST_IN_A_DAY)
    destination_test(destination=webhook, actor=ACTOR)
    delivery_retry(delivery=delivery, actor=ACTOR)
    event_replay(event=delivery.event, destination_ids=[webhook.pk], actor=ACTOR)
    assert Letter.objects.count() == MOST_IN_A_DAY


def test_what_is_refused_for_another_reason_is_not_counted(owner: Caller) -> None:
    destination = a_destination(owner.project, **EMAIL)
    delivery = a_delivery(an_event(owner.project), destination, State.SENDING)
    assert owner.post(f"deliveries/{delivery.public_id}/retry").body["code"] == "sending"
    earlier(destination, timedelta(seconds=1))
    refused(owner, f"destinations/{destination.public_id}/test")
    assert not Letter.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("by", ["test", "retry", "replay"])
def test_two_at_once_are_not_both_the_last_letter(by: str) -> None:
    """To two destinations: neither's own row is what holds the second up."""
    project = a_project()
    one, other = (a_notice(a_destination(project, **EMAIL)) for _ in range(2))
    sent_before(project, MOST_IN_A_MINUTE - 1)

    def send(notice: Delivery) -> bool:
        match by:
            case "test":
                destination_test(destination=notice.destination, actor=ACTOR)
            case "retry":
                delivery_retry(delivery=notice, actor=ACTOR)
            case _:
                event_replay(event=notice.event, destination_ids=[notice.destination_id], actor=ACTOR)
        return True

    first, second = one_after_the_other(lambda: send(one), lambda: send(other))
    assert first is True
    assert isinstance(second, Conflict)
    assert second.code == "too_soon"
    assert Letter.objects.count() == MOST_IN_A_MINUTE


# Many at once


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("kind", "state"), [("recover", State.DEAD), ("retry", State.READY)])
def test_operations_pass_over_letters(kind: str, state: State, project: Project) -> None:
    later = {"due_at": now() + timedelta(hours=1)}
    letters = some(a_destination(project, **EMAIL), 3, state, **later)
    others = some(a_destination(project, operational=True), 2, state, **later)
    operation = done(asked(project, kind))
    assert (operation.state, operation.processed, operation.changed) == ("completed", 5, 2)
    assert states(letters) == {state: 3}
    assert Delivery.objects.filter(pk__in=[row.pk for row in letters], due_at=later["due_at"]).count() == 3
    assert Delivery.objects.filter(pk__in=[row.pk for row in others], due_at__lte=now()).count() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("kind", "state"), [("discard", State.DEAD), ("cancel", State.READY)])
def test_operations_call_letters_off(kind: str, state: State, project: Project) -> None:
    destination = a_destination(project, **EMAIL)
    letters = some(destination, 3, state)
    done(asked(project, kind, destination=destination.public_id))
    assert states(letters) == {State.CANCELLED: 3}


@pytest.mark.parametrize("kind", ["recover", "replay", "retry"])
def test_no_operation_is_for_an_e_mail_destination(kind: str, owner: Caller) -> None:
    destination = a_destination(owner.project, **EMAIL)
    since = "2000-01-01T00:00:00Z"
    answer = owner.post("operations", {"kind": kind, "since": since, "destination": destination.public_id})
    assert (answer.status, answer.body["code"]) == (409, "one_by_one")
    assert "one by one" in answer.body["detail"]
    recovered = owner.post(f"destinations/{destination.public_id}/recover", {"since": since})
    assert (recovered.status, recovered.body["code"]) == (409, "one_by_one")


@pytest.mark.django_db(transaction=True)
def test_a_replay_of_a_time_to_all_sends_no_letters(project: Project) -> None:
    a_destination(project, event_types=["*"], **EMAIL)
    an_event(project, type="destination.failing", source="trunkline")
    an_event(project)
    operation = operation_create(
        project=project, kind="replay", parameters={"since": "2000-01-01T00:00:00Z"}, actor=ACTOR
    )
    assert done(operation).state == "completed"
    assert not Delivery.objects.exists()
