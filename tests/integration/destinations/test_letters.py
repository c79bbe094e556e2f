"""How many letters a tenant can have sent: so many e-mail destinations, and a test now and then."""

from collections.abc import Callable
from datetime import timedelta
from threading import Event as Signal
from typing import Any

import pytest
from django.db import transaction
from pytest_django import Settings

from apps.accounts.models import Project
from apps.deliveries.models import Delivery
from apps.deliveries.services import BETWEEN_LETTERS, destination_test
from apps.destinations.kinds.email.server import MailServer as Address
from apps.destinations.models import Destination
from apps.destinations.services import MOST_OPERATIONAL, destination_delete
from apps.events.models import Event
from apps.kernel.clock import now
from apps.kernel.errors import Conflict, NotFound
from apps.kernel.ids import first_id
from tests.integration.cast import ACTOR, Caller, a_delivery, a_destination, a_project, an_event
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
