"""Retention: what is beyond it goes, whole; what still has something to send stays; nobody's race is lost."""

import json
from collections.abc import Callable, Collection
from datetime import timedelta
from io import StringIO
from uuid import UUID

import pytest
from django.conf import settings as configured
from django.core.management import CommandError, call_command
from django.db import transaction
from pytest_django import Settings
from structlog.testing import capture_logs

from apps.accounts.models import Project
from apps.deliveries import pruning
from apps.deliveries.engine import pruner
from apps.deliveries.models import Attempt, Delivery, FanOut, Pruning
from apps.deliveries.services import delivery_cancel, delivery_retry, event_replay
from apps.deliveries.states import FINAL, State
from apps.destinations.models import Destination
from apps.events.models import Event, IdempotencyKey
from apps.kernel.clock import now
from apps.kernel.errors import NotFound
from apps.kernel.ids import new_uuid
from tests.integration.cast import ACTOR, a_delivery, a_destination, a_project, an_event
from tests.integration.threads import at_once

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def old_event(project: Project, days: int = 100) -> Event:
    return an_event(project, received_at=now() - days * DAY)


def finished(event: Event, state: State = State.DELIVERED) -> Delivery:
    delivery = a_delivery(event, a_destination(event.project), state)
    fields = {"outcome": "succeeded", "response_body": b"", "started_at": now(), "duration_ms": 1}
    Attempt.objects.create(delivery=delivery, number=1, **fields)
    return delivery


def prune_all() -> None:
    while pruner.run_once():
        pass


def command(*arguments: str) -> dict[str, int]:
    out = StringIO()
    call_command("prune", "--json", *arguments, stdout=out)
    printed: dict[str, int] = json.loads(out.getvalue())
    return printed


@pytest.mark.parametrize("state", sorted(FINAL))
def test_what_is_too_old_goes_whole(project: Project, state: State) -> None:
    finished(old_event(project), state)
    recent = finished(an_event(project))
    with capture_logs() as logs:
        prune_all()
    assert [event.pk for event in Event.objects.all()] == [recent.event_id]
    assert list(Delivery.objects.all()) == [recent]
    assert Attempt.objects.get().delivery_id == recent.pk
    [told] = [line for line in logs if line["event"] == "events.pruned"]
    assert (told["events"], told["deliveries"], told["attempts"]) == (1, 1, 1)
    assert told["project_id"] == project.public_id


def test_an_event_that_nobody_wanted_goes(project: Project) -> None:
    old_event(project)
    prune_all()
    assert not Event.objects.exists()


@pytest.mark.parametrize("state", sorted(set(State) - FINAL))
def test_what_is_still_to_be_sent_stays_and_stops_nobody(project: Project, state: State) -> None:
    stuck = old_event(project, 120)
    finished(stuck)
    a_delivery(stuck, a_destination(project), state)
    finished(old_event(project, 110))
    prune_all()
    assert Event.objects.get() == stuck
    assert Delivery.objects.count() == 2


def test_an_event_whose_deliveries_are_still_being_made_stays(project: Project) -> None:
    event = old_event(project)
    FanOut.objects.create(event=event, project=project, type=event.type, received_at=event.received_at)
    prune_all()
    assert Event.objects.get() == event


def test_what_stayed_is_not_read_again_until_the_next_day(project: Project) -> None:
    waiting = a_delivery(old_event(project), a_destination(project))
    prune_all()
    assert pruner.run_once() == 0
    Delivery.objects.filter(pk=waiting.pk).update(state=State.CANCELLED, finished_at=now())
    assert pruner.run_once() == 0
    Pruning.objects.update(began_at=now() - 2 * DAY, planned_at=now() - DAY)
    prune_all()
    assert not Event.objects.exists()


def test_each_project_has_its_own_retention(project: Project, settings: Settings) -> None:
    for days, kept in ((None, 0), (0, 1), (200, 1), (50, 0)):
        other = a_project(retention_days=days)
        finished(old_event(other))
        prune_all()
        assert Event.objects.filter(project=other).count() == kept, days
    assert configured.RETENTION_DAYS == 90
    settings.RETENTION_DAYS = 0
    forever = a_project()
    finished(old_event(forever))
    prune_all()
    assert Event.objects.filter(project=forever).exists()


def test_by_count_the_newest_stay(project: Project) -> None:
    counted = a_project(retention_events=3)
    events = [an_event(counted) for _ in range(5)]
    other = an_event(project)
    prune_all()
    assert set(Event.objects.all()) == {*events[2:], other}


def test_in_batches_each_ends_where_the_next_begins(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "BATCH", 2)
    for days in range(110, 100, -1):
        finished(old_event(project, days))
    assert pruner.run_once() == 2
    assert Event.objects.count() == Delivery.objects.count() == 8
    prune_all()
    assert not Event.objects.exists()
    assert not Delivery.objects.exists()
    assert not Attempt.objects.exists()


@pytest.mark.parametrize("most", [1, 2, 3, 4, 7])
def test_an_event_of_very_many_deliveries_goes_in_parts(
    project: Project, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(pruning, "MOST", most)
    for days in (110, 105):
        event = old_event(project, days)
        for _ in range(3):
            finished(event)
    for _ in range(20):
        before = Delivery.objects.count()
        pruner.run_once()
        assert before - Delivery.objects.count() <= most
    assert not Event.objects.exists()
    assert not Delivery.objects.exists()


class Killed(BaseException):
    """In place of SIGKILL: nothing handles it."""


def test_killed_within_a_batch_nothing_is_half_gone(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    finished(old_event(project))

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Pruning, "save", die)
        with pytest.raises(Killed):
            pruner.run_once()
    assert Event.objects.count() == Delivery.objects.count() == Attempt.objects.count() == 1
    prune_all()
    assert not Event.objects.exists()


def test_what_is_gone_can_not_be_retried_cancelled_or_replayed(project: Project) -> None:
    delivery = finished(old_event(project))
    event, destination = delivery.event, delivery.destination
    prune_all()
    with pytest.raises(NotFound), transaction.atomic():
        delivery_retry(delivery=delivery, actor=ACTOR)
    with pytest.raises(NotFound), transaction.atomic():
        delivery_cancel(delivery=delivery, actor=ACTOR)
    with pytest.raises(NotFound), transaction.atomic():
        event_replay(event=event, destination_ids=[destination.pk], actor=ACTOR)
    assert not Delivery.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("again", ["retry", "replay", "replay elsewhere"])
def test_at_the_same_moment_an_event_is_sent_again_or_gone_but_never_half(project: Project, again: str) -> None:
    for _ in range(8):
        delivery, elsewhere = finished(old_event(project)), a_destination(project)
        Pruning.objects.all().delete()
        at_once([prune_all, _sending_again(delivery, elsewhere)[again]])
        events = set(Event.objects.values_list("pk", flat=True))
        assert set(Delivery.objects.values_list("event_id", flat=True)) == events
        if events:
            assert Delivery.objects.filter(state=State.READY).exists()
        Delivery.objects.all().delete()
        Event.objects.all().delete()
        Attempt.objects.all().delete()


def _sending_again(delivery: Delivery, elsewhere: Destination) -> dict[str, Callable[[], object]]:
    return {
        "retry": lambda: delivery_retry(delivery=delivery, actor=ACTOR),
        "replay": lambda: event_replay(event=delivery.event, destination_ids=[delivery.destination_id], actor=ACTOR),
        "replay elsewhere": lambda: event_replay(event=delivery.event, destination_ids=[elsewhere.pk], actor=ACTOR),
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.database("postgresql", "mysql")  # SQLite has one writer at a time anyhow
@pytest.mark.parametrize("again", ["retry", "replay", "replay elsewhere"])
def test_what_is_sent_again_between_the_look_and_the_lock_stays(
    project: Project, monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    delivery, elsewhere = finished(old_event(project)), a_destination(project)
    look, looks = pruning.unfinished, []

    def looked(event_ids: Collection[UUID]) -> set[UUID]:
        found = look(event_ids)
        looks.append(found)
        if len(looks) == 1:
            [error] = at_once([lambda: _sending_again(delivery, elsewhere)[again]() and None])
            assert error is None
        return found

    monkeypatch.setattr(pruning, "unfinished", looked)
    prune_all()
    assert looks[:2] == [set(), {delivery.event_id}]
    assert Event.objects.get().pk == delivery.event_id
    assert Delivery.objects.filter(state=State.READY).count() == 1
    assert Delivery.objects.filter(pk=delivery.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_several_engines_prune_beside_one_another(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "BATCH", 3)
    projects = [project, a_project()]
    for one in projects:
        destination = a_destination(one)
        for days in range(120, 100, -1):
            a_delivery(old_event(one, days), destination, State.DELIVERED)
    outcomes = at_once([prune_all, prune_all, prune_all])
    assert not [outcome for outcome in outcomes if outcome is not None]
    prune_all()
    assert not Event.objects.exists()
    assert not Delivery.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.database("postgresql", "mysql")
def test_a_project_that_somebody_prunes_is_passed_by(project: Project) -> None:
    old_event(project)
    pruning.prepare([project.pk])
    with transaction.atomic():
        Pruning.objects.select_for_update().get(pk=project.pk)
        [batch] = at_once([lambda: pruning.prune_next(project.pk, now=now())])
    assert isinstance(batch, pruning.Batch)
    assert batch.skipped


def test_idempotency_keys_go_after_two_days(project: Project) -> None:
    for hours in (1, 47, 49, 1000):
        key = UUID(bytes=new_uuid().bytes, version=5)
        IdempotencyKey.objects.create(
            pk=key, event_id=new_uuid(), fingerprint=b"", created_at=now() - timedelta(hours=hours)
        )
    prune_all()
    assert IdempotencyKey.objects.count() == 2


def test_the_command_says_what_went(project: Project) -> None:
    finished(old_event(project))
    a_delivery(old_event(project), a_destination(project))
    assert command("--dry-run") == {"events": 1, "payloads": 0, "dry_run": True}
    assert Event.objects.count() == 2
    counts = {"events": 1, "deliveries": 1, "attempts": 1, "payloads": 0, "idempotency_keys": 0, "dry_run": False}
    assert command() == counts
    assert command() == {**counts, "events": 0, "deliveries": 0, "attempts": 0}


def test_the_command_for_one_project(project: Project) -> None:
    other = a_project("other")
    for one in (project, other):
        finished(old_event(one))
    assert command("--project", "other")["events"] == 1
    assert Event.objects.get().project_id == project.pk
    with pytest.raises(CommandError):
        command("--project", "nobody's")


def test_a_batch_costs_the_same_few_statements(
    project: Project, django_assert_max_num_queries: Callable[..., object]
) -> None:
    pruning.prepare([project.pk])
    destination = a_destination(project)
    for _ in range(20):
        a_delivery(old_event(project), destination, State.DELIVERED)
    with django_assert_max_num_queries(16):  # type: ignore[attr-defined]
        assert pruning.prune_next(project.pk, now=now()).events == 20
