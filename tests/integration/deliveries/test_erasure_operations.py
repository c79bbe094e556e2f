"""An erasure is an operation as any other: it fails, waits, rests, and is found, held and called off by every door."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import DataError

from apps.accounts.models import Project
from apps.accounts.scopes import DEVELOPER, SCOPES
from apps.audit.models import AuditEntry
from apps.deliveries.engine import operator
from apps.deliveries.models import ERASURE, Operation
from apps.deliveries.operations import erasure
from apps.deliveries.operations.erasure_request import consumer_erase
from apps.deliveries.operations.services import (
    operation_create,
    operation_pause,
    operation_resume,
)
from apps.destinations.models import Consumer
from apps.destinations.services import consumer_create
from apps.events.models import Event
from apps.kernel.clock import now
from tests.integration.cast import ACTOR, Caller, a_project, an_event, caller
from tests.integration.deliveries.erasing import KEY, WORD, erase_all, places, planted
from tests.integration.staff import staff, superuser, text_of

pytestmark = pytest.mark.django_db


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
