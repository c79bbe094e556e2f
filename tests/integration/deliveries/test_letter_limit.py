"""To how many addresses letters of one project go in an hour: whatever causes them, and of all engines together."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from apps.accounts.models import Project
from apps.deliveries.engine import claimer
from apps.deliveries.engine.known import Known
from apps.deliveries.engine.parcel import Obstacle
from apps.deliveries.models import Breaker, Delivery
from apps.deliveries.services import destination_test
from apps.deliveries.states import State
from apps.destinations import letters
from apps.destinations.kinds.email.config import MOST_ADDRESSES
from apps.destinations.kinds.email.server import MailServer as Address
from apps.destinations.letters import MOST_ADDRESSES_IN_AN_HOUR, letters_spend
from apps.destinations.models import Destination, LetterHour
from apps.destinations.services import MOST_OPERATIONAL, destination_delete
from tests.integration.cast import ACTOR, a_delivery, a_destination, a_project, an_event
from tests.integration.deliveries.engine_room import attempted, make_due, run_until
from tests.integration.threads import at_once
from tests.mail_server import MailServer
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)
FAIL_FAST: dict[str, Any] = {"retry": {"schedule": []}}
CHAT: dict[str, Any] = {"kind": "chat", "config": {"url": "https://hooks.slack.com/x"}, "operational": True}


@pytest.fixture(autouse=True)
def mail(settings: Settings) -> None:
    settings.MAIL_SERVER, settings.MAIL_FROM = Address("127.0.0.1", 9, "off"), "trunkline@example.com"


@pytest.fixture
def hour(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The time, to be moved by hand."""
    time = [datetime(2030, 1, 1, 12, 59, 59, tzinfo=UTC)]
    monkeypatch.setattr(letters, "now", lambda: time[0])
    return time


def mailbox(project: Project, addresses: int = 1, **more: Any) -> Destination:
    to = [f"victim{number}@example.com" for number in range(addresses)]
    return a_destination(project, operational=True, kind="email", config={"to": to}, **more)


def a_notice(*to: Destination) -> list[Delivery]:
    event = an_event(to[0].project, type="delivery.dead", source="trunkline")
    return [a_delivery(event, one) for one in to]


def sendable(*to: Destination) -> list[bool]:
    """Of those claimed now: whether each would be sent, by destination."""
    catch = claimer.run_once(
        asked={one.pk: 100 for one in to},
        limit=1_000,
        bytes_left=1_000_000,
        alone=False,
        lease=timedelta(seconds=60),
        known=Known(),
    )
    return [one.target is not Obstacle.TOO_MANY_LETTERS for one in catch.parcels]


def spend(project: Project, addresses: int) -> bool:
    return letters_spend(project_id=project.pk, addresses=addresses)


def test_the_first_go_out_and_a_full_set_of_them(project: Project) -> None:
    """A notice to as many e-mail destinations as there may be, of as many addresses as each may have."""
    assert MOST_OPERATIONAL * MOST_ADDRESSES <= MOST_ADDRESSES_IN_AN_HOUR
    everybody = [mailbox(project, MOST_ADDRESSES) for _ in range(MOST_OPERATIONAL)]
    a_notice(*everybody)
    assert sendable(*everybody) == [True] * MOST_OPERATIONAL
    a_notice(everybody[0])
    assert sendable(everybody[0]) == [False]


def test_addresses_are_counted_and_not_letters(project: Project) -> None:
    spend(project, MOST_ADDRESSES_IN_AN_HOUR - 3)
    big, small = mailbox(project, 4), mailbox(project, 3)
    for one, goes in ((big, False), (small, True), (small, False)):
        a_notice(one)
        assert sendable(one) == [goes]


def test_another_project_and_other_channels_are_not_concerned(project: Project) -> None:
    spend(project, MOST_ADDRESSES_IN_AN_HOUR)
    webhook, chat = a_destination(project, operational=True), a_destination(project, **CHAT)
    theirs, ours = mailbox(a_project("another")), mailbox(project)
    for one in (webhook, chat, theirs, ours):
        a_notice(one)
        assert sendable(one) == [one is not ours]


def test_deleting_destinations_makes_no_room(project: Project) -> None:
    for _ in range(MOST_ADDRESSES_IN_AN_HOUR // MOST_ADDRESSES):
        one = mailbox(project, MOST_ADDRESSES)
        a_notice(one)
        assert sendable(one) == [True]
        destination_delete(destination=one, actor=ACTOR)
    another = mailbox(project)
    a_notice(another)
    assert sendable(another) == [False]


def test_every_attempt_counts(project: Project) -> None:
    """A mail server that puts one address off gets the letter for the others anew each time."""
    spend(project, MOST_ADDRESSES_IN_AN_HOUR - 2)
    one = mailbox(project)
    [delivery] = a_notice(one)
    for goes in (True, True, False):
        Delivery.objects.filter(pk=delivery.pk).update(state=State.READY, claim=None, lease_until=None)
        assert sendable(one) == [goes]


def test_in_the_next_hour_there_is_room(project: Project, hour: list[datetime]) -> None:
    assert spend(project, MOST_ADDRESSES_IN_AN_HOUR)
    assert not spend(project, 1)
    hour[0] += timedelta(seconds=1)
    assert spend(project, MOST_ADDRESSES_IN_AN_HOUR)
    hour[0] -= timedelta(seconds=1)  # an engine whose clock is behind
    assert not spend(project, 1)
    assert LetterHour.objects.count() == 1


def test_a_clock_that_was_far_ahead_stops_nothing(project: Project, hour: list[datetime]) -> None:
    hour[0] += timedelta(days=365)
    assert spend(project, MOST_ADDRESSES_IN_AN_HOUR)
    hour[0] -= timedelta(days=365)
    assert spend(project, MOST_ADDRESSES_IN_AN_HOUR)
    assert not spend(project, 1)


def test_more_than_there_ever_is_is_never_let_go(project: Project) -> None:
    assert not spend(project, MOST_ADDRESSES_IN_AN_HOUR + 1)


def test_engines_at_once_go_no_further(project: Project, hour: list[datetime]) -> None:
    """From the first letter on, and where the hour has just begun anew."""
    for _ in range(2):
        goes = at_once([lambda: [spend(project, 7) for _ in range(10)] for _ in range(4)])
        spent = [one for engine in goes if isinstance(engine, list) for one in engine]
        assert len(spent) == 40
        assert spent.count(True) == MOST_ADDRESSES_IN_AN_HOUR // 7
        hour[0] += timedelta(hours=1)


# Through the engine


def test_beyond_it_an_attempt_says_so_and_is_tried_again(project: Project, settings: Settings) -> None:
    one = mailbox(project, policy={"retry": {"schedule": [60], "jitter": 0}})
    with MailServer() as server:
        settings.MAIL_SERVER = Address(server.host, server.port, "off")
        spend(project, MOST_ADDRESSES_IN_AN_HOUR)
        delivery = destination_test(destination=one, actor=ACTOR)
        run_until(attempted(1))
        delivery.refresh_from_db()
        assert (delivery.state, delivery.last_error) == (State.READY, "too_many_letters")
        assert f"{MOST_ADDRESSES_IN_AN_HOUR} addresses" in delivery.tries.get().detail
        assert server.letters == []
        LetterHour.objects.update(addresses=0)
        make_due()
        run_until(attempted(1))
        delivery.refresh_from_db()
        assert (delivery.state, len(server.letters)) == (State.DELIVERED, 1)


def test_it_says_nothing_about_the_destination(project: Project) -> None:
    """Its breaker stays shut, and it is not disabled for our limit."""
    one = mailbox(project, policy={"breaker": {"failures": 1}, "disable_after": 60})
    spend(project, MOST_ADDRESSES_IN_AN_HOUR)
    a_notice(one)
    run_until(attempted(1))
    assert not Breaker.objects.filter(pk=one.pk).exists()


def test_a_flood_of_dead_deliveries_is_no_flood_of_letters(
    project: Project, receiver: Receiver, settings: Settings
) -> None:
    """Whoever makes webhooks that fail at once chooses who is written to of it."""
    mailbox(project, MOST_ADDRESSES)
    a_destination(project, receiver.url("/ops"), operational=True)
    spend(project, MOST_ADDRESSES_IN_AN_HOUR - 2 * MOST_ADDRESSES)
    with MailServer() as server:
        settings.MAIL_SERVER = Address(server.host, server.port, "off")
        for number in range(5):
            a_delivery(an_event(project), a_destination(project, receiver.url(f"/fail/{number}"), policy=FAIL_FAST))
        run_until(attempted(15))
        assert sum(len(letter.to) for letter in server.letters) == 2 * MOST_ADDRESSES
    assert sum(one.path == "/ops" for one in receiver.requests) == 5
    assert Delivery.objects.filter(last_error="too_many_letters", state=State.READY).count() == 3
