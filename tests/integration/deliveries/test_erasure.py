"""Erasure: nothing that was planted of a consumer is left in any table, nothing of anybody else is touched."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from apps.accounts.models import Project
from apps.accounts.scopes import SCOPES
from apps.audit.models import AuditEntry
from apps.deliveries.engine import operator
from apps.deliveries.models import ERASURE, Attempt, Delivery, FanOut, Operation, OperationState, Turn
from apps.deliveries.operations import erasure
from apps.deliveries.operations.erasure_request import consumer_erase
from apps.deliveries.operations.selectors import progress
from apps.deliveries.operations.services import (
    operation_cancel,
    operation_create,
    operation_pause,
)
from apps.deliveries.states import State
from apps.destinations.models import Consumer, Destination, Secret
from apps.destinations.selectors import consumer_named
from apps.destinations.services import consumer_create, consumer_delete, destination_delete
from apps.events.models import Event, IdempotencyKey
from apps.kernel.clock import now
from apps.kernel.errors import Conflict, NotFound
from tests.integration.cast import ACTOR, Caller, a_delivery, a_destination, a_project, an_event, caller
from tests.integration.deliveries.erasing import KEY, WORD, attempt, dump, erase_all, places, planted

pytestmark = pytest.mark.django_db


def others() -> dict[str, Any]:
    """All that belongs to everybody else, as it is now."""
    spared = (Consumer, Destination, Secret, Event, Delivery, Attempt)
    return {model.__name__: sorted(map(str, model.objects.values_list())) for model in spared}


@pytest.fixture
def bystanders(project: Project) -> dict[str, Any]:
    """Another consumer of the project, and one of the same key in another project."""
    for one, key in ((project, "other"), (a_project(), KEY)):
        attempt(a_delivery(an_event(one, consumer=key), a_destination(one, consumer=key), State.DELIVERED))
    an_event(project, consumer=f"{KEY}2"), an_event(project, consumer=f"{KEY} ")
    return others()


@pytest.mark.parametrize("size", [1, 2, 500])
def test_nothing_of_it_is_left_in_any_table(
    project: Project, bystanders: dict[str, Any], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("EVENTS", "DELIVERIES", "DESTINATIONS"):
        monkeypatch.setattr(erasure, name, size)
    Event.objects.exclude(project=project).update(consumer="elsewhere")  # the word itself must not be there
    Consumer.objects.exclude(project=project).update(key="elsewhere")
    Event.objects.filter(consumer__in=[f"{KEY}2", f"{KEY} "]).update(consumer="elsewhere")
    Attempt.objects.update(detail="", response_body=b"")
    AuditEntry.objects.all().delete()
    before = others()
    consumer = planted(project)
    assert len(places()) >= 7
    keys = IdempotencyKey.objects.count()
    consumer_erase(consumer=consumer, actor=ACTOR)
    erase_all()
    assert places() == {}
    assert (keys, IdempotencyKey.objects.count(), FanOut.objects.count(), Turn.objects.count()) == (3, 0, 0, 0)
    after = others()
    for name in ("Consumer", "Secret", "Event", "Delivery", "Attempt"):
        left = set(after[name]) - set(before[name])
        assert set(before[name]) <= set(after[name])
        assert len(left) == {"Secret": 1, "Event": 1}.get(name, 0), name  # the shared destination's, everybody's
    operation = Operation.objects.get(kind="erase_consumer")
    assert (operation.state, operation.parameters) == ("completed", {"consumer_id": consumer.public_id})
    assert (operation.total, operation.processed, progress(operation)) == (6, 6, 100)


def test_the_same_key_elsewhere_and_keys_that_begin_alike_are_not_it(
    project: Project, bystanders: dict[str, Any]
) -> None:
    consumer_erase(consumer=consumer_create(project=project, key=KEY, actor=ACTOR), actor=ACTOR)
    erase_all()
    assert others() == bystanders


def test_a_key_with_a_space_behind_it_is_another(project: Project) -> None:
    """MariaDB finds the two equal where its collation pads."""
    consumer = consumer_create(project=project, key=KEY, actor=ACTOR)
    asked = {"consumer": f"{KEY} ", "since": "2000-01-01T00:00:00Z"}
    operation = operation_create(project=project, kind="recover", parameters=asked, actor=ACTOR)
    operation_pause(operation=operation, actor=ACTOR)
    assert consumer_named(project, f"{KEY} ") is None
    consumer_erase(consumer=consumer, actor=ACTOR)
    erase_all()
    operation.refresh_from_db()
    assert (operation.state, operation.parameters) == ("paused", asked)


def test_the_trail_keeps_who_did_what_when(project: Project) -> None:
    consumer = planted(project)
    before = list(AuditEntry.objects.values_list("pk", "action", "target", "actor_label", "at"))
    consumer_erase(consumer=consumer, actor=ACTOR)
    erase_all()
    after = list(AuditEntry.objects.values_list("pk", "action", "target", "actor_label", "at"))
    assert set(before) <= set(after)
    assert {(row[1], row[2]) for row in set(after) - set(before)} == {
        ("consumer.erasure_started", consumer.public_id),
        ("consumer.erased", consumer.public_id),
        ("operation.completed", Operation.objects.get(kind=ERASURE).public_id),
    }


@pytest.mark.parametrize("size", [1, 2, 3, 500])
def test_of_a_long_trail_each_chunk_looks_at_a_few_entries(
    project: Project, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its times are: some at the same moment, one written while it goes on."""
    monkeypatch.setattr(erasure, "ENTRIES", size)
    consumer = planted(project)
    AuditEntry.objects.update(at=now() - timedelta(hours=1))
    for number, key in enumerate([KEY, "other", f"{KEY} ", KEY, "other"]):
        about = {"changes": {"consumer": key, "many": [1]}, "at": now() - timedelta(minutes=70 - 5 * number)}
        AuditEntry.objects.create(project_id=project.pk, action="operation.created", **about)
    AuditEntry.objects.create(project_id=project.pk, action="operation.created", changes={"consumer": KEY})
    operation = consumer_erase(consumer=consumer, actor=ACTOR)
    erase_all()
    operation.refresh_from_db()
    assert operation.state == "completed"
    left = AuditEntry.objects.filter(changes__many=[1]).values_list("changes", flat=True)
    assert sorted(one["consumer"] for one in left) == sorted([f"{KEY} ", "other", "other"])
    AuditEntry.objects.filter(changes__many=[1]).delete()
    assert places() == {}


class Killed(BaseException):
    """In place of SIGKILL: nothing handles it."""


@pytest.mark.parametrize("line", ["destinations_blank", "keys_forget", "consumer_forget", "_delete"])
def test_killed_in_the_middle_it_goes_on(project: Project, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr(erasure, "EVENTS", 1)
    consumer = planted(project)
    consumer_erase(consumer=consumer, actor=ACTOR)
    work, calls = getattr(erasure, line), []

    def die_after(*arguments: Any, **named: Any) -> Any:
        calls.append(work(*arguments, **named))
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(erasure, line, die_after)
        with pytest.raises(Killed):
            erase_all()
    assert calls
    assert Consumer.objects.filter(pk=consumer.pk).exists()
    erase_all()
    assert places() == {}
    assert not Consumer.objects.filter(pk=consumer.pk).exists()


def test_what_comes_while_it_runs_goes_as_well(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = planted(project)
    consumer_erase(consumer=consumer, actor=ACTOR)
    finish, late = erasure._erase_deliveries, [True]

    def once_late(*arguments: Any) -> Any:
        done = finish(*arguments)
        if late and done is None:
            late.clear()
            a_delivery(an_event(project, consumer=KEY), a_destination(project, consumer=KEY))
        return done

    monkeypatch.setattr(erasure, "_erase_deliveries", once_late)
    erase_all()
    assert not late
    assert places() == {}


def test_a_destination_made_and_deleted_during_the_last_chunk_goes_as_well(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = planted(project)
    consumer_erase(consumer=consumer, actor=ACTOR)
    finish, late = erasure._finish, [True]

    def once_late(*arguments: Any) -> Any:
        if late:
            late.clear()
            made = a_destination(project, f"http://127.0.0.1:9/{WORD}", consumer=KEY, name=f"{WORD} late")
            destination_delete(destination=made, actor=ACTOR)
        return finish(*arguments)

    monkeypatch.setattr(erasure, "_finish", once_late)
    erase_all()
    assert not late
    assert places() == {}


@pytest.mark.parametrize("chunks", [0, 1, 2, 3])
def test_deleted_meanwhile_it_is_erased_all_the_same(
    project: Project, owner: Caller, monkeypatch: pytest.MonkeyPatch, chunks: int
) -> None:
    """Deleting is refused before the first chunk and between any two, when it has no destinations any more, too."""
    monkeypatch.setattr(erasure, "EVENTS", 1)
    consumer = planted(project)
    consumer_erase(consumer=consumer, actor=ACTOR)
    for _ in range(chunks):
        operator.run_once()
    assert Event.objects.filter(consumer=KEY).exists()
    answer = owner.delete(f"consumers/{consumer.public_id}")
    assert (answer.status, answer.body["code"]) == (409, "being_erased")
    erase_all()
    assert places() == {}
    assert owner.delete(f"consumers/{consumer.public_id}").status == 404


def test_deleted_before_it_was_asked_for_it_is_not_found(project: Project) -> None:
    """By somebody who was faster: the row was read already."""
    consumer = consumer_create(project=project, key=KEY, actor=ACTOR)
    consumer_delete(consumer=Consumer.objects.get(pk=consumer.pk), actor=ACTOR)
    with pytest.raises(NotFound):
        consumer_erase(consumer=consumer, actor=ACTOR)
    assert not Operation.objects.exists()


def test_called_off_it_may_be_deleted_and_paused_it_may_not(project: Project) -> None:
    consumer = consumer_create(project=project, key=KEY, actor=ACTOR)
    operation = consumer_erase(consumer=consumer, actor=ACTOR)
    operation_pause(operation=operation, actor=ACTOR)
    with pytest.raises(Conflict, match="being erased"):
        consumer_delete(consumer=consumer, actor=ACTOR)
    operation_cancel(operation=operation, actor=ACTOR)
    consumer_delete(consumer=consumer, actor=ACTOR)
    assert not Consumer.objects.exists()


def erase_command(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("erase_consumer", *arguments, "--json", stdout=out)
    told: dict[str, Any] = json.loads(out.getvalue())
    return told


def test_the_command(project: Project) -> None:
    consumer = planted(project)
    told = erase_command(KEY, "--project", project.name)
    assert (told["consumer"], told["rows"] > 5) == (consumer.public_id, True)
    assert places() == {}
    with pytest.raises(CommandError):
        erase_command(KEY, "--project", "nobody's")


def test_the_command_for_a_key_that_only_events_name(project: Project) -> None:
    an_event(project, consumer=KEY), an_event(project)
    erase_command(KEY, "--project", project.public_id)
    assert places() == {}
    assert Event.objects.count() == 1


def test_the_command_takes_no_id_that_is_not_there_for_a_key(project: Project) -> None:
    """Another project's, one of nobody, and one with a letter too few."""
    elsewhere = consumer_create(project=a_project("other"), key=KEY, actor=ACTOR).public_id
    for key in (elsewhere, Consumer(project=project).public_id, elsewhere[:-1]):
        with pytest.raises(CommandError, match=f"has no consumer {key}"):
            erase_command(key, "--project", project.name)
    assert (Consumer.objects.count(), Operation.objects.count()) == (1, 0)
    an_event(project, consumer="con_tinental")
    erase_command("con_tinental", "--project", project.name)
    assert not Event.objects.exists()


def test_the_command_does_not_wait_for_one_that_is_paused(project: Project) -> None:
    consumer = planted(project)
    consumer_erase(consumer=consumer, actor=ACTOR)
    Operation.objects.filter(kind=ERASURE).update(state=OperationState.PAUSED)
    with pytest.raises(CommandError, match="paused"):
        erase_command(KEY, "--project", project.name)


# Export


def exported(project: Project, key: str = KEY) -> list[dict[str, Any]]:
    out = StringIO()
    call_command("export_consumer", key, "--project", project.name, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_the_export_has_all_of_it_and_nothing_of_others(project: Project, bystanders: dict[str, Any]) -> None:
    planted(project)
    lines = exported(project)
    counts = {name: sum(line["object"] == name for line in lines) for name in ("consumer", "destination", "event")}
    assert counts == {"consumer": 1, "destination": 2, "event": 3}
    own = Delivery.objects.filter(event__consumer=KEY, event__project=project).count()
    told = [line["id"] for line in lines if line["object"] == "delivery"]
    assert len(told) == len(set(told)) == own + 1  # and what went to its destination of an event for everybody
    assert sum(line["object"] == "attempt" for line in lines) == Attempt.objects.exclude(pk__in=_spared()).count()
    event = next(line for line in lines if line["object"] == "event")
    assert (event["data"], event["extensions"], event["consumer"]) == (WORD, {"who": WORD}, KEY)
    assert exported(project) == lines


def _spared() -> list[Any]:
    others_ = Attempt.objects.filter(delivery__event__consumer__in=["other"]) | Attempt.objects.filter(
        delivery__event__project__in=Project.objects.exclude(name="billing")
    )
    return list(others_.values_list("pk", flat=True))


def test_the_export_page_by_page(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(project)
    whole = exported(project)
    for name in ("PAGE", "EVENT_PAGE"):
        monkeypatch.setattr(f"apps.deliveries.export.{name}", 1)
    assert exported(project) == whole


def test_the_export_holds_no_secret(project: Project) -> None:
    headers = {"Authorization": "Bearer hush-hush"}
    made = a_destination(project, consumer=KEY, config={"url": "http://127.0.0.1:9/", "headers": headers})
    text = json.dumps(exported(project))
    assert "hush-hush" not in text
    assert Secret.objects.get(destination=made).sealed not in text


def test_the_export_over_the_api(project: Project, owner: Caller, stranger: Caller) -> None:
    consumer = planted(project)
    path = f"/api/v1/consumers/{consumer.public_id}/export"
    answer = owner.get(path)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson")
    assert [json.loads(line) for line in answer.content.splitlines()] == exported(project)
    assert stranger.get(path).status == 404
    for scope in ("consumers:read", "events:read", "deliveries:read"):
        assert caller(project, set(SCOPES) - {scope}).get(path).status == 403


def test_the_export_into_a_file(project: Project, tmp_path: Any) -> None:
    planted(project)
    path = tmp_path / "export.ndjson"
    arguments = ("export_consumer", KEY, "--project", project.name, "--output", str(path))
    call_command(*arguments)
    assert [json.loads(line) for line in path.read_bytes().splitlines()] == exported(project)
    with pytest.raises(CommandError):  # it is there already
        call_command(*arguments)
    with pytest.raises(CommandError):
        exported(project, "nobody")


def test_there_is_no_table_that_the_dump_misses() -> None:
    assert {model._meta.db_table for model in apps.get_models()} <= set(dump())
