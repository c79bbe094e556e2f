"""Payload expiry: the data goes and the rest stays; what is still to be sent keeps it; nothing empty is ever sent."""

from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from apps.accounts.models import Project
from apps.accounts.services import project_change
from apps.deliveries import expiry, pruning
from apps.deliveries.engine.parcel import Obstacle, pack
from apps.deliveries.fan_out import expand_next, fan_out_again
from apps.deliveries.models import Attempt, Delivery, Pruning
from apps.deliveries.services import destination_recover, event_replay
from apps.deliveries.states import FINAL, State
from apps.deliveries.store import claim
from apps.events.models import Event
from apps.kernel.clock import now
from apps.kernel.errors import Conflict
from tests.integration.cast import ACTOR, Caller, a_delivery, a_destination, an_event, caller
from tests.integration.deliveries.test_pruning import command, prune_all

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def project(project: Project) -> Project:
    project_change(project=project, actor=ACTOR, payload_days=7)
    return project


def aged(project: Project, days: int = 8) -> Event:
    return an_event(project, received_at=now() - days * DAY, subject="kept")


def answered(event: Event, state: State = State.DELIVERED, **fields: Any) -> Delivery:
    delivery = a_delivery(event, a_destination(event.project), state, **fields)
    told = {"outcome": "succeeded", "status_code": 200, "response_body": b"thanks", "duration_ms": 1}
    Attempt.objects.create(delivery=delivery, number=1, started_at=now(), **told)
    return delivery


def erased(event: Event) -> bool:
    event.refresh_from_db()
    assert (event.erased_at is None) == bool(event.data)
    return event.erased_at is not None


@pytest.mark.parametrize("state", sorted(FINAL))
def test_the_data_and_the_answers_go_and_the_rest_stays(project: Project, state: State) -> None:
    old, recent = answered(aged(project), state), answered(aged(project, 6), state)
    with capture_logs() as logs:
        prune_all()
    assert (erased(old.event), erased(recent.event)) == (True, False)
    assert bytes(old.tries.get().response_body) == b""
    assert old.tries.get().status_code == 200
    assert bytes(recent.tries.get().response_body) == b"thanks"
    assert old.event.subject == "kept"
    [told] = [line for line in logs if line["event"] == "payloads.erased"]
    assert (told["events"], told["attempts"], told["project_id"]) == (1, 1, project.public_id)


@pytest.mark.parametrize("days", [None, 0])
def test_without_a_number_the_data_stays_as_long_as_the_event(project: Project, days: int | None) -> None:
    project_change(project=project, actor=ACTOR, payload_days=days)
    event = aged(project, 80)
    prune_all()
    assert not erased(event)


@pytest.mark.parametrize("state", sorted(set(State) - FINAL))
def test_what_is_still_to_be_sent_keeps_it_until_the_day_after(project: Project, state: State) -> None:
    stuck, other = answered(aged(project), state), aged(project)
    prune_all()
    assert (erased(stuck.event), erased(other)) == (False, True)
    Delivery.objects.filter(pk=stuck.pk).update(state=State.DEAD, finished_at=now(), claim=None, lease_until=None)
    prune_all()
    assert not erased(stuck.event)
    Pruning.objects.update(began_at=now() - 2 * DAY, planned_at=now() - DAY)
    later = Pruning.objects.get().payload_left
    assert later is not None
    assert later < stuck.event.pk
    prune_all()
    assert erased(stuck.event)


def test_in_batches_also_where_one_event_has_very_many_answers(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "BATCH", 2)
    monkeypatch.setattr(pruning, "BATCH", 2)
    monkeypatch.setattr(expiry, "MOST", 2)
    events = [aged(project, 20 - number) for number in range(5)]
    for _ in range(5):
        answered(events[2])
    prune_all()
    assert all(erased(event) for event in events)
    assert not Attempt.objects.exclude(response_body=b"").exists()


class Killed(BaseException):
    """In place of SIGKILL: nothing handles it."""


def test_killed_within_a_batch_nothing_is_half_done(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    delivery = answered(aged(project))

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(expiry, "_move", die)
        with pytest.raises(Killed):
            prune_all()
    assert not erased(delivery.event)
    assert bytes(delivery.tries.get().response_body) == b"thanks"
    prune_all()
    assert erased(delivery.event)


def test_nothing_is_sent_again_without_its_data(project: Project) -> None:
    delivery, owner = answered(aged(project), State.DEAD), caller(project)
    prune_all()
    event, destination = delivery.event, delivery.destination
    for path in (f"events/{event.public_id}/replay", f"deliveries/{delivery.public_id}/retry"):
        answer = owner.post(path)
        assert (answer.status, answer.body["code"]) == (409, "payload_expired")
    with pytest.raises(Conflict):
        event_replay(event=event, destination_ids=[a_destination(project).pk], actor=ACTOR)
    assert destination_recover(destination=destination, since=now() - DAY, actor=ACTOR).changed == 0
    assert [one.state for one in Delivery.objects.all()] == [State.DEAD]


def test_what_was_made_ready_at_that_very_moment_is_cancelled(project: Project) -> None:
    """A fan-out, or a race with the erasure: the engine takes it for an event that is gone."""
    event, destination = aged(project), a_destination(project)
    prune_all()
    fan_out_again(event)
    assert expand_next() == 1
    due = now() + DAY
    rows = claim({destination.pk: 5}, limit=5, now=due, lease_until=due + DAY, bytes_left=1_000)
    assert [parcel.target for parcel in pack(rows)] == [Obstacle.EVENT_GONE]


def test_the_api_shows_when_it_went(project: Project, owner: Caller) -> None:
    event = aged(project)
    assert owner.get(f"events/{event.public_id}").body["erased_at"] is None
    prune_all()
    shown = owner.get(f"events/{event.public_id}").body
    assert (shown["data"], shown["subject"]) == (None, "kept")
    assert shown["erased_at"] is not None
    assert owner.get("events").body["data"][0]["erased_at"] == shown["erased_at"]


def test_the_command_says_how_many(project: Project) -> None:
    answered(aged(project)), aged(project, 100), answered(aged(project, 100), State.READY)
    assert command("--dry-run") == {"events": 1, "payloads": 1, "dry_run": True}
    counts = command()
    assert (counts["events"], counts["payloads"]) == (1, 1)
    assert command()["payloads"] == 0
