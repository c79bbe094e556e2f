"""Erasure: nothing that was planted of a consumer is left in any table, nothing of anybody else is touched."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command
from django.db import DataError, connection

from apps.accounts.models import Project
from apps.accounts.scopes import DEVELOPER, SCOPES
from apps.audit.models import AuditEntry
from apps.deliveries.engine import operator
from apps.deliveries.models import ERASURE, Attempt, Delivery, FanOut, Operation, OperationState, Turn
from apps.deliveries.operations import erasure
from apps.deliveries.operations.erasing import consumer_erase
from apps.deliveries.operations.selectors import progress
from apps.deliveries.operations.services import (
    operation_cancel,
    operation_create,
    operation_pause,
    operation_resume,
)
from apps.deliveries.states import State
from apps.destinations.models import Consumer, Destination, Secret
from apps.destinations.services import consumer_change, consumer_create, consumer_delete, destination_delete
from apps.events.models import Event, IdempotencyKey
from apps.intake.services import events_accept
from apps.intake.submission import Submission
from apps.kernel.clock import now
from apps.kernel.errors import Conflict, NotFound
from apps.kernel.ids import new_uuid
from tests.integration.cast import ACTOR, Caller, a_delivery, a_destination, a_project, an_event, caller
from tests.integration.staff import staff, superuser, text_of

pytestmark = pytest.mark.django_db
WORD = "planted7acme"  # in everything that is said of the one who is erased
KEY = f"{WORD}-key"


def planted(project: Project) -> Consumer:
    """A consumer with all it can have, in every column that takes its words."""
    consumer = consumer_create(project=project, key=KEY, name=f"{WORD} Ltd", actor=ACTOR)
    consumer_change(consumer=consumer, name=f"{WORD} & Sons", actor=ACTOR)
    url = f"http://127.0.0.1:9/{WORD}"
    own, shared = a_destination(project, url, consumer=KEY, name=f"{WORD} hook"), a_destination(project)
    Destination.objects.filter(pk=own.pk).update(filter=f"data.who == '{WORD}'", transform={"jmespath": WORD})
    destination_delete(destination=a_destination(project, url, consumer=KEY, name=f"{WORD} old"), actor=ACTOR)
    for number in range(3):
        said = f"{WORD}/{number}"
        one = Submission(
            type="a.b",
            data=json.dumps(WORD).encode(),
            consumer=KEY,
            extensions={"who": WORD},
            idempotency=("key", f"{WORD}{number}"),
            source=said,
            subject=said,
            ordering_key=said,
        )
        events_accept(project=Project.objects.get(pk=project.pk), submissions=[one])
    for delivery in Delivery.objects.filter(destination__in=[own, shared]):
        _attempt(delivery)
    _attempt(a_delivery(an_event(project), own, State.DELIVERED))  # of an event for everybody
    event = Event.objects.filter(consumer=KEY).latest("pk")
    FanOut.objects.create(event=event, project=project, type="a.b", consumer=KEY, received_at=now())
    Turn.objects.create(destination_id=shared.pk, key=new_uuid(), delivery_id=event.deliveries.all()[0].pk)
    AuditEntry.objects.create(project_id=project.pk, action="operation.created", changes={"consumer": KEY, "n": 1})
    Operation.objects.create(
        project=project,
        kind="recover",
        parameters={"consumer": KEY},
        state=OperationState.COMPLETED,
        finished_at=now(),
    )
    return consumer


def _attempt(delivery: Delivery) -> None:
    told = {"outcome": "failed", "detail": f"{WORD}.example", "response_body": WORD.encode(), "duration_ms": 1}
    Attempt.objects.create(delivery=delivery, number=1, started_at=now(), **told)


def dump() -> dict[str, list[str]]:
    """Every row of every table as text, binary columns too."""
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            found[table] = [" ".join(map(_text, row)) for row in cursor.fetchall()]
    return found


def _text(value: Any) -> str:
    return bytes(value).decode(errors="replace") if isinstance(value, bytes | memoryview) else str(value)


def places(word: str = WORD) -> dict[str, int]:
    return {table: count for table, rows in dump().items() if (count := sum(word in row for row in rows))}


def erase_all() -> None:
    while operator.run_once():
        pass


def others() -> dict[str, Any]:
    """All that belongs to everybody else, as it is now."""
    spared = (Consumer, Destination, Secret, Event, Delivery, Attempt)
    return {model.__name__: sorted(map(str, model.objects.values_list())) for model in spared}


@pytest.fixture
def bystanders(project: Project) -> dict[str, Any]:
    """Another consumer of the project, and one of the same key in another project."""
    for one, key in ((project, "other"), (a_project(), KEY)):
        _attempt(a_delivery(an_event(one, consumer=key), a_destination(one, consumer=key), State.DELIVERED))
    an_event(project, consumer=f"{KEY}2")
    return others()


@pytest.mark.parametrize("size", [1, 2, 500])
def test_nothing_of_it_is_left_in_any_table(
    project: Project, bystanders: dict[str, Any], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("EVENTS", "DELIVERIES", "DESTINATIONS"):
        monkeypatch.setattr(erasure, name, size)
    Event.objects.exclude(project=project).update(consumer="elsewhere")  # the word itself must not be there
    Consumer.objects.exclude(project=project).update(key="elsewhere")
    Event.objects.filter(consumer=f"{KEY}2").update(consumer="elsewhere")
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


@pytest.mark.parametrize("state", ["running", "paused"])
def test_operations_that_name_its_key_are_called_off(project: Project, state: str) -> None:
    consumer = planted(project)
    asked = {"consumer": KEY, "since": "2000-01-01T00:00:00Z"}
    other = operation_create(project=project, kind="recover", parameters=asked, actor=ACTOR)
    if state == "paused":
        operation_pause(operation=other, actor=ACTOR)
    Operation.objects.filter(pk=other.pk).update(due_at=now() + timedelta(hours=1))
    operation = consumer_erase(consumer=consumer, actor=ACTOR)
    erase_all()
    operation.refresh_from_db()
    other.refresh_from_db()
    assert (operation.state, places()) == ("completed", {})
    assert (other.state, other.error, other.parameters) == ("cancelled", "its consumer was erased", {})
    assert AuditEntry.objects.filter(action="operation.cancelled", target=other.public_id).count() == 1


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


def test_failed_it_may_be_deleted_or_asked_for_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = planted(project)
    first = consumer_erase(consumer=consumer, actor=ACTOR)
    with monkeypatch.context() as patched:
        patched.setattr(erasure, "keys_forget", broken)
        for _ in range(100):
            operator.run_once()
            Operation.objects.update(due_at=None)
    first.refresh_from_db()
    assert (first.state, first.error) == ("failed", "DataError, 5 times in a row: see the log, mend it, and ask again")
    assert not Consumer.objects.get(pk=consumer.pk).being_erased
    again = consumer_erase(consumer=consumer, actor=ACTOR)
    erase_all()
    again.refresh_from_db()
    assert (again.state, places()) == ("completed", {})


def broken(*_: Any, **__: Any) -> Any:
    raise DataError(f"value {WORD!r} is out of range")


def test_one_that_fails_holds_up_no_other(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither another project's, nor the project's next, nor operations of other kinds."""
    stuck = consumer_erase(consumer=planted(project), actor=ACTOR)
    others = [
        consumer_erase(consumer=consumer_create(project=one, key="globex", actor=ACTOR), actor=ACTOR)
        for one in (project, a_project("other"))
    ]
    others.append(operation_create(project=project, kind="discard", parameters={}, actor=ACTOR))
    monkeypatch.setattr(erasure, "keys_forget", broken)
    for _ in range(20):
        operator.run_once()
    stuck.refresh_from_db()
    assert (stuck.state, stuck.failures, stuck.due_at is None) == ("running", 1, False)
    assert stuck.error.startswith("DataError, 1 times in a row: see the log; next try at 2")
    assert {one.state for one in Operation.objects.exclude(pk=stuck.pk)} == {"completed"}
    assert WORD not in stuck.error
    monkeypatch.undo()
    Operation.objects.update(due_at=now())
    erase_all()
    stuck.refresh_from_db()
    assert (stuck.state, stuck.failures, stuck.due_at, stuck.error) == ("completed", 0, None, "")


def test_of_one_project_they_take_one_turn(project: Project) -> None:
    """Two hundred of them must not keep another project's operation waiting for two hundred chunks."""
    for number in range(3):
        key = f"{KEY}{number}"
        an_event(project, consumer=key)
        consumer_erase(consumer=consumer_create(project=project, key=key, actor=ACTOR), actor=ACTOR)
    other = operation_create(project=a_project("other"), kind="discard", parameters={}, actor=ACTOR)
    operator.run_once()
    operator.run_once()
    other.refresh_from_db()
    assert other.state == "completed"
    erase_all()
    assert set(Operation.objects.values_list("state", flat=True)) == {"completed"}


def test_they_do_not_count_among_a_projects_operations(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.deliveries.operations.services.MOST_OPEN", 1)
    for key in ("acme", "globex"):
        consumer_erase(consumer=consumer_create(project=project, key=key, actor=ACTOR), actor=ACTOR)
    operation_create(project=project, kind="discard", parameters={}, actor=ACTOR)


def test_paused_it_rests_and_resumed_it_ends(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "EVENTS", 1)
    operation = consumer_erase(consumer=planted(project), actor=ACTOR)
    for _ in range(2):
        operator.run_once()
    operation_pause(operation=operation, actor=ACTOR)
    assert operator.run_once() is None
    assert Event.objects.filter(consumer=KEY).count() == 2
    operation_resume(operation=operation, actor=ACTOR)
    erase_all()
    assert places() == {}


def test_what_can_not_be_read_fails_and_no_more(project: Project) -> None:
    operation = consumer_erase(consumer=planted(project), actor=ACTOR)
    Operation.objects.filter(pk=operation.pk).update(parameters={"consumer_id": "nonsense"})
    erase_all()
    operation.refresh_from_db()
    assert operation.state == "failed"
    assert operation.error.startswith("its parameters can't be read: not an id")


def test_asked_for_twice_it_is_one_operation(project: Project) -> None:
    consumer = planted(project)
    operations = {consumer_erase(consumer=consumer, actor=ACTOR).pk for _ in range(2)}
    assert len(operations) == 1


def test_over_the_api(project: Project, owner: Caller, viewer: Caller, stranger: Caller) -> None:
    path = f"consumers/{planted(project).public_id}"
    assert viewer.post(f"{path}/erase").status == 403
    assert stranger.post(f"{path}/erase").status == 404
    answer = owner.post(f"{path}/erase")
    assert (answer.status, answer.body["state"]) == (202, "running")
    assert answer.headers["location"] == f"/api/v1/operations/{answer.body['operation']}"
    assert [one["id"] for one in owner.all("operations?kind=erase_consumer")] == [answer.body["operation"]]
    assert owner.all("operations?kind=discard") == []
    assert owner.post("operations", {"kind": "erase_consumer", "consumer_id": path}).faults == [("/kind", "invalid")]
    erase_all()
    done = owner.get(answer.headers["location"]).body
    assert (done["kind"], done["state"], done["progress"]) == ("erase_consumer", "completed", 100)
    assert owner.get(path).status == owner.post(f"{path}/erase").status == 404


def test_it_takes_what_may_change_consumers_as_well(project: Project) -> None:
    """Who may only send again can't call an erasure off, and who may only change consumers can't ask for one."""
    consumer = planted(project)
    scopes = [one for one in SCOPES if one.endswith("write")]
    for missing in ("consumers:write", "events:write", "deliveries:write", "destinations:write"):
        one = caller(project, scopes=[scope for scope in scopes if scope != missing])
        assert one.post(f"consumers/{consumer.public_id}/erase").status == 403, missing
    path = f"operations/{consumer_erase(consumer=consumer, actor=ACTOR).public_id}"
    sender = caller(project, scopes=["deliveries:read", "deliveries:write"])
    assert {sender.post(f"{path}/{move}").status for move in ("pause", "resume", "cancel")} == {403}
    both = caller(project, scopes=["deliveries:write", "consumers:write"])
    assert [both.post(f"{path}/{move}").status for move in ("pause", "resume", "cancel")] == [200] * 3


def test_in_the_admin_it_takes_them_too(project: Project) -> None:
    consumer = planted(project)
    operation = consumer_erase(consumer=consumer, actor=ACTOR)
    sender = staff("s@example.com", project, role=DEVELOPER)
    role = Group.objects.get(name=DEVELOPER)
    role.permissions.remove(Permission.objects.get(codename="consumers:write"))
    for move in ("pause", "cancel"):
        assert "does not hold consumers:write" in sender.act(f"deliveries_operation_{move}", operation)[-1]
    operation.refresh_from_db()
    assert operation.state == "running"
    role.permissions.add(Permission.objects.get(codename="consumers:write"))
    role.permissions.remove(Permission.objects.get(codename="events:write"))
    assert "does not hold events:write" in sender.act("destinations_consumer_erase", consumer)[-1]


def test_the_admin_lists_them_by_kind(project: Project) -> None:
    root, operation = superuser(), consumer_erase(consumer=planted(project), actor=ACTOR)
    operation_create(project=project, kind="discard", parameters={}, actor=ACTOR)
    assert root.rows("deliveries_operation_changelist", kind=ERASURE) == [operation]
    shown = text_of(root.get("deliveries_operation_change", operation.public_id))
    assert "erases all that is kept of a consumer" in shown
    assert ERASURE not in text_of(root.get("deliveries_operation_add"))


def test_in_the_admin(project: Project) -> None:
    root, consumer = superuser(), planted(project)
    root.post("destinations_consumer_change", consumer.pk, name=f"{WORD} Inc")
    assert "django_admin_log" in places()
    assert "is being erased" in root.act("destinations_consumer_erase", consumer)[-1]
    erase_all()
    left = places()
    left.pop("django_session", None)
    assert left == {}


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
