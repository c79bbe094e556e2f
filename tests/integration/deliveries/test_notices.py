"""Operational events: who gets them, when, how many, and that they are written with what they tell, or not at all."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.urls import reverse

from apps.accounts.models import Project
from apps.deliveries import notices
from apps.deliveries.engine import settler
from apps.deliveries.models import Attempt, Delivery
from apps.deliveries.notices import DEAD, DISABLED, FAILING, Notice, notify
from apps.deliveries.operations.reading import EventSeen
from apps.deliveries.operations.replaying import replay_to, replay_to_all
from apps.deliveries.states import State
from apps.destinations.models import Destination, Status
from apps.events.models import OPERATIONAL, Event
from apps.intake.parsing.fields import RESERVED
from apps.kernel.clock import now
from tests.integration.cast import NOWHERE, Caller, a_delivery, a_destination, a_project, an_event
from tests.integration.deliveries.engine_room import attempted, run_until, watched_lines
from tests.receiver import Receiver

DATA = {"reason": "timeout", "last_error": "timeout"}


def operational(project: Project, path: str = NOWHERE, **wanted: Any) -> Destination:
    return a_destination(project, path, operational=True, **wanted)


def tell(destination: Destination, kind: str = FAILING, **data: Any) -> None:
    notify([Notice(destination.project_id, kind, destination.pk, data or DATA)])


def told(kind: str = "") -> list[tuple[Event, set[UUID]]]:
    """Operational events in order, each with the destinations it goes to."""
    events = Event.objects.filter(source=OPERATIONAL).order_by("pk")
    return [
        (event, set(Delivery.objects.filter(event=event).values_list("destination_id", flat=True)))
        for event in events
        if not kind or event.type == kind
    ]


def data_of(event: Event) -> Any:
    return json.loads(bytes(event.data))


@pytest.mark.django_db
def test_it_is_an_event_of_the_project_with_what_one_knows_the_destination_by(project: Project, settings: Any) -> None:
    settings.PUBLIC_URL = "https://trunkline.example.com"
    failing, ops = a_destination(project, consumer="acme", name="Acme's"), operational(project)
    tell(failing)
    [(event, to)] = told()
    assert to == {ops.pk}
    assert (event.type, event.subject, event.consumer) == (FAILING, failing.public_id, "acme")
    assert data_of(event) == {
        "destination": {
            "id": failing.public_id,
            "name": "Acme's",
            "kind": "webhook",
            "summary": NOWHERE,
            "consumer": "acme",
            "status": "enabled",
            "admin_url": f"https://trunkline.example.com/admin/destinations/destination/{failing.pk}/change/",
        },
        **DATA,
    }


def test_the_admin_s_address_is_the_admin_s() -> None:
    pk = UUID(int=7)
    assert reverse("admin:destinations_destination_change", args=[pk]) == (
        f"/admin/destinations/destination/{pk}/change/"
    )


@pytest.mark.django_db
def test_who_gets_it(project: Project) -> None:
    failing = a_destination(project, consumer="acme")
    wanted = {
        operational(project).pk,
        operational(project, event_types=["destination.*"]).pk,
        operational(project, consumer="acme").pk,
        operational(project, ordering="per_key").pk,
    }
    operational(project, event_types=["delivery.*"])
    operational(project, consumer="globex")
    operational(a_project("another"))
    a_destination(project, event_types=["*"])
    gone = operational(project)
    Destination.objects.filter(pk=gone.pk).update(status=Status.DISABLED)
    tell(failing)
    [(_, to)] = told()
    assert to == wanted


@pytest.mark.django_db
def test_a_destination_of_nobody_is_no_customer_s_business(project: Project) -> None:
    operational(project, consumer="acme")
    tell(a_destination(project))
    assert told() == []


@pytest.mark.django_db
def test_nothing_is_told_of_those_who_are_told(project: Project) -> None:
    operational(project)
    tell(operational(project))
    assert told() == []


@pytest.mark.django_db
def test_where_nobody_wants_it_nothing_is_written(project: Project) -> None:
    tell(a_destination(project))
    assert not Event.objects.exists()


@pytest.mark.django_db
def test_operational_destinations_get_no_producer_s_events(owner: Caller) -> None:
    ordinary, ops = a_destination(owner.project), operational(owner.project)
    accepted = owner.post("events", {"type": DISABLED, "data": {}})
    assert accepted.status == 202
    assert set(Delivery.objects.values_list("destination_id", flat=True)) == {ordinary.pk}
    event = Event.objects.get()
    refused = owner.post(f"events/{event.public_id}/replay", {"destination": ops.public_id})
    assert (refused.status, refused.body["code"]) == (409, "other_events")
    tell(ordinary)
    [(notice, _)] = told()
    assert owner.post(f"events/{notice.public_id}/replay").status == 202
    refused = owner.post(f"events/{notice.public_id}/replay", {"destination": ordinary.public_id})
    assert refused.status == 409
    assert {pk for _, to in told() for pk in to} == {ops.pk}


@pytest.mark.django_db
def test_nobody_else_says_that_he_is_trunkline(owner: Caller) -> None:
    assert RESERVED == OPERATIONAL
    for media, body in (
        ("application/json", {"type": DISABLED, "data": {}, "source": OPERATIONAL}),
        (
            "application/cloudevents+json",
            {"specversion": "1.0", "id": "1", "type": DISABLED, "source": OPERATIONAL, "data": {}},
        ),
    ):
        answer = owner.post("events", body, content_type=media)
        assert (answer.status, answer.faults) == (422, [("/source", "reserved")]), answer.content
        assert owner.post("events", {**body, "source": f"{OPERATIONAL}.mine"}, content_type=media).status == 202


# delivery.dead, and how often


@pytest.fixture
def minute(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The time, to be moved by hand."""
    time = [datetime(2030, 1, 1, 12, 0, 30, tzinfo=UTC)]
    monkeypatch.setattr(notices, "now", lambda: time[0])
    return time


@pytest.mark.django_db
def test_the_dead_of_one_destination_make_two_events_a_minute_at_most(project: Project, minute: list[datetime]) -> None:
    dying, other = a_destination(project), a_destination(project)
    operational(project)
    for number in range(5):
        tell(dying, DEAD, delivery=f"dlv_{number}")
    tell(other, DEAD, delivery="dlv_other")
    first, rest, others = sorted((event for event, _ in told()), key=lambda event: event.subject == other.public_id)
    end = datetime(2030, 1, 1, 12, 1, tzinfo=UTC)
    assert data_of(first)["more_until"] is None
    assert data_of(rest)["more_until"] == "2030-01-01T12:01:00.000000Z"
    assert data_of(others)["more_until"] is None
    assert Delivery.objects.get(event=rest).due_at == end
    minute[0] = end
    tell(dying, DEAD, delivery="dlv_next")
    assert len(told()) == 4


@pytest.mark.django_db
def test_those_that_die_together_are_counted_and_the_first_are_named(project: Project) -> None:
    dying, other = a_destination(project), a_destination(project)
    operational(project)
    died = [Notice(project.pk, DEAD, dying.pk, {"delivery": f"dlv_{number}"}) for number in range(12)]
    notify([*died, Notice(project.pk, DEAD, other.pk, {"delivery": "dlv_other"})])
    data = {event.subject: data_of(event) for event, _ in told()}
    assert data[dying.public_id]["count"] == 12
    assert [one["delivery"] for one in data[dying.public_id]["deliveries"]] == [f"dlv_{n}" for n in range(10)]
    assert (data[other.public_id]["count"], len(data)) == (1, 2)


@pytest.mark.django_db
def test_the_limit_is_of_dead_deliveries_only(project: Project, minute: list[datetime]) -> None:
    failing = a_destination(project)
    operational(project)
    for _ in range(3):
        tell(failing)
    assert len(told()) == 3


# Through the engine


@pytest.mark.django_db(transaction=True)
def test_gone_is_told_once_and_so_is_the_dead_delivery(project: Project, receiver: Receiver) -> None:
    gone, ops = a_destination(project, receiver.url("/gone")), operational(project, receiver.url("/ops"))
    dead = a_delivery(an_event(project), gone)
    run_until(lambda lines: receiver.wait_until(lambda: _count(receiver, "/ops") == 2))
    assert Destination.objects.get(pk=gone.pk).status == Status.DISABLED
    (disabled, to), (died, also_to) = told()
    assert to == also_to == {ops.pk}
    assert (disabled.type, died.type) == (DISABLED, DEAD)
    told_of = data_of(disabled)
    assert told_of["destination"]["status"] == "disabled"
    assert (told_of["reason"], told_of["last_status_code"]) == ("gone", 410)
    assert told_of["delivery"] == dead.public_id
    [named] = data_of(died)["deliveries"]
    assert (named["delivery"], named["event"], named["reason"]) == (dead.public_id, dead.event.public_id, "rejected")
    bodies = [json.loads(one.body) for one in receiver.requests if one.path == "/ops"]
    assert sorted(body["type"] for body in bodies) == [DEAD, DISABLED]


def _count(receiver: Receiver, path: str) -> int:
    return sum(one.path == path for one in receiver.requests)


@pytest.mark.django_db(transaction=True)
def test_an_operational_destination_that_is_gone_says_nothing(project: Project, receiver: Receiver) -> None:
    ops = operational(project, receiver.url("/gone"))
    operational(project, receiver.url("/ops"))
    a_delivery(an_event(project, source=OPERATIONAL, type=DISABLED), ops)
    run_until(attempted(1))
    assert Destination.objects.get(pk=ops.pk).status == Status.DISABLED
    assert len(told()) == 1  # the one it was sent


@pytest.mark.django_db(transaction=True)
def test_dead_and_notice_are_written_together_or_not_at_all(
    project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the process died on the last line before the commit."""
    gone = a_destination(project, receiver.url("/gone"))
    operational(project, receiver.url("/ops"))
    delivery = a_delivery(an_event(project), gone)

    class Died(Exception):
        pass

    def dies(*_: object) -> None:
        notify(*_)  # type: ignore[arg-type]
        raise Died

    monkeypatch.setattr(settler, "notify", dies)
    with pytest.raises(Died):
        run_until(lambda lines: receiver.wait_for(1), lambda lines: lines.wait_for("deliveries.given_back"))
    assert Delivery.objects.get(pk=delivery.pk).state == State.READY
    assert not Attempt.objects.exists()
    assert told() == []
    assert Destination.objects.get(pk=gone.pk).status == Status.ENABLED
    monkeypatch.setattr(settler, "notify", notify)
    run_until(attempted(3))
    assert [event.type for event, _ in told()] == [DISABLED, DEAD]


@pytest.mark.django_db(transaction=True)
def test_every_notice_is_logged_after_its_commit(project: Project) -> None:
    failing = a_destination(project)
    with watched_lines() as lines:
        with transaction.atomic():
            tell(failing)
            assert lines.of("operational.notice") == []
        [line] = lines.of("operational.notice")
    assert (line["type"], line["destination_id"], line["subscribers"]) == (FAILING, failing.public_id, 0)


@pytest.mark.django_db
def test_bulk_replays_keep_the_two_apart(project: Project) -> None:
    ordinary, ops = a_destination(project), operational(project)
    tell(ordinary)
    [(notice, _)] = told()
    event = an_event(project)
    seen = [EventSeen(one.pk, one.type, one.consumer, one.subject, one.received_at) for one in (notice, event)]
    with transaction.atomic():
        replay_to_all(project.pk, seen, most=10, now=now())
        replay_to(ops, seen, only_matching=False, now=now())
        replay_to(ordinary, seen, only_matching=False, now=now())
    pairs = set(Delivery.objects.values_list("event_id", "destination_id"))
    assert pairs == {(notice.pk, ops.pk), (event.pk, ordinary.pk)}
