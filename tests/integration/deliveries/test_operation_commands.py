"""`recover`, `replay` and `operations`: what operators type at a server, and what programs read of it."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.models import Project
from apps.audit.models import AuditEntry
from apps.deliveries.management import console
from apps.deliveries.models import Delivery, EngineHeartbeat, FanOut, Operation
from apps.deliveries.operations import kinds
from apps.deliveries.operations.erasure_request import consumer_erase
from apps.deliveries.operations.services import (
    operation_cancel,
    operation_create,
    operation_pause,
    operation_resume,
)
from apps.deliveries.states import State
from apps.destinations.services import consumer_create
from apps.events.models import Event
from apps.kernel.clock import isoformat, now
from tests.integration.cast import ACTOR, a_delivery, a_destination, a_project, an_event

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def run_json(*arguments: str) -> Any:
    [line] = run(*arguments, "--json").splitlines()
    return json.loads(line)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "CHUNK", 2)
    monkeypatch.setattr(console, "PAUSE", 0)


def dead(project: Project, count: int = 5) -> list[Delivery]:
    destination = a_destination(project)
    return [a_delivery(an_event(project), destination, State.DEAD) for _ in range(count)]


def test_recover_waits_and_does_it_where_no_engine_runs(project: Project) -> None:
    dead(project)
    said = run("recover", "--project", "billing", "--since", "1h", "--wait").splitlines()
    assert "40 % · 2 looked at, 2 changed" in said[0]
    assert said[-1].endswith("completed · 100 % · 5 looked at, 5 changed")
    assert not Delivery.objects.filter(state=State.DEAD).exists()
    [entry] = AuditEntry.objects.filter(action="operation.created")
    assert (entry.actor_kind, entry.actor_label) == ("command", "recover")


def test_recover_says_what_it_made(project: Project) -> None:
    row = dead(project)[0]
    since = isoformat(now() - timedelta(days=1))
    made = run_json("recover", "--destination", row.destination.public_id, "--since", since, "--error", "timeout",
                    "--status-code", "503")  # fmt: skip
    operation = Operation.objects.get()
    assert made["id"] == operation.public_id
    assert (made["state"], made["total"]) == ("running", 5)
    assert operation.parameters == {
        "destination": row.destination.public_id,
        "since": since,
        "error": "timeout",
        "status_code": 503,
    }


def test_waiting_leaves_the_work_to_engines_that_live(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    dead(project)
    EngineHeartbeat.objects.create(host="alpha", pid=1)

    def end(_: float) -> None:
        operation_cancel(operation=Operation.objects.get(), actor=ACTOR)

    monkeypatch.setattr(console, "sleep", end)
    with pytest.raises(CommandError, match="is cancelled: somebody called it off"):
        run("recover", "--project", "billing", "--since", "1h", "--wait")
    assert Delivery.objects.filter(state=State.DEAD).count() == 5


def test_who_stops_waiting_is_told_that_it_goes_on(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    EngineHeartbeat.objects.create(host="alpha", pid=1)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(console, "sleep", interrupt)
    with pytest.raises(CommandError, match=r"it goes on without you.*operations watch opr_") as stopped:
        run("recover", "--project", "billing", "--since", "1h", "--wait")
    assert stopped.value.returncode == 130


def test_replay_of_one_event(project: Project) -> None:
    event, one = an_event(project), a_destination(project)
    other = a_destination(project, event_types=["user.*"])
    assert run("replay", event.public_id) == f"{event.public_id}: 1 deliveries are due\n"
    assert run_json("replay", event.public_id, "--destination", other.public_id) == {
        "event": event.public_id, "deliveries": 1
    }  # fmt: skip
    assert set(Delivery.objects.values_list("destination_id", flat=True)) == {one.pk, other.pk}


def test_replay_of_one_event_to_very_many(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.deliveries.services.INLINE", 1)
    event = an_event(project)
    for _ in range(2):
        a_destination(project)
    assert run_json("replay", event.public_id) == {"event": event.public_id, "deliveries": None}
    assert "left to the engines" in run("replay", event.public_id)
    assert FanOut.objects.count() == 1


def test_replay_of_a_time_to_a_new_destination(project: Project) -> None:
    moment = now() - timedelta(hours=3)
    wanted = an_event(project, type="user.made", received_at=moment, consumer="acme", subject="7")
    an_event(project, type="user.made")
    fresh = a_destination(project, event_types=["user.*"])
    options = ("--since", "4h", "--until", "2h", "--type", "user.*", "--consumer", "acme", "--subject", "7")
    done = run_json("replay", "--destination", fresh.public_id, *options, "--only-matching", "--wait")
    assert (done["state"], done["changed"], done["progress"]) == ("completed", 1, 100)
    assert [row.event_id for row in Delivery.objects.all()] == [wanted.pk]


def test_operations_are_listed_shown_held_and_watched(project: Project) -> None:
    dead(project)
    made = run_json("operations", "create", "discard", "--project", "billing")
    other = operation_create(project=a_project("other"), kind="discard", parameters={}, actor=ACTOR)
    assert [one["id"] for one in run_json("operations", "list")["operations"]] == [other.public_id, made["id"]]
    assert [one["id"] for one in run_json("operations", "list", "--project", "billing")["operations"]] == [made["id"]]
    assert run_json("operations", "show", made["id"]) == made
    assert run_json("operations", "pause", made["id"])["state"] == "paused"
    assert "discard paused · 0 %" in run("operations", "list", "--state", "paused")
    assert run_json("operations", "resume", made["id"])["state"] == "running"
    assert run_json("operations", "watch", made["id"])["state"] == "completed"
    assert run_json("operations", "cancel", other.public_id)["state"] == "cancelled"
    with pytest.raises(CommandError, match="completed already"):
        run("operations", "pause", made["id"])


def test_erasures_are_operations_as_any(project: Project) -> None:
    an_event(project, consumer="acme")
    operation = consumer_erase(consumer=consumer_create(project=project, key="acme", actor=ACTOR), actor=ACTOR)
    run_json("operations", "create", "discard", "--project", "billing")
    listed = run_json("operations", "list", "--kind", "erase_consumer")["operations"]
    assert [one["id"] for one in listed] == [operation.public_id]
    assert run_json("operations", "pause", operation.public_id)["state"] == "paused"
    assert run_json("operations", "resume", operation.public_id)["state"] == "running"
    assert run_json("operations", "watch", operation.public_id)["state"] == "completed"
    assert not Event.objects.exists()
    with pytest.raises(CommandError, match="invalid choice: 'erase_consumer'"):
        run("operations", "create", "erase_consumer", "--project", "billing")


def test_who_watches_is_told_that_no_engine_runs(project: Project) -> None:
    dead(project)
    operation = operation_create(project=project, kind="discard", parameters={}, actor=ACTOR)
    err = StringIO()
    call_command("operations", "watch", operation.public_id, "--json", stdout=StringIO(), stderr=err)
    assert err.getvalue() == "no engine is running: this process does the work, for as long as it waits\n"


def test_who_watches_one_that_rests_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = operation_create(project=project, kind="discard", parameters={}, actor=ACTOR)
    operation_pause(operation=operation, actor=ACTOR)
    looks: list[float] = []

    def look(pause: float) -> None:
        looks.append(pause)
        if len(looks) == 2:
            operation_resume(operation=operation, actor=ACTOR)

    monkeypatch.setattr(console, "sleep", look)
    err = StringIO()
    call_command("operations", "watch", operation.public_id, stdout=StringIO(), stderr=err)
    first, second = err.getvalue().splitlines()
    assert first == f"it is paused, and goes on with: manage.py operations resume {operation.public_id}"
    assert second.startswith("no engine is running")


NO_EVENT, NO_DESTINATION = "evt_01h455vb4pex5vsknk084sn02q", "dst_01h455vb4pex5vsknk084sn02q"
WRONG = [
    (("recover", "--since", "1h"), "say which project"),
    (("recover", "--since", "1h", "--project", "nobody"), "no project 'nobody'"),
    (("recover", "--since", "yesterday", "--project", "billing"), "--since Invalid RFC3339"),
    (("recover", "--since", "1h", "--project", "billing", "--type", "a b"), "--type must be an event type"),
    (("recover", "--since", "1h", "--until", "2h", "--project", "billing"), "--until must be after since"),
    (("recover", "--since", "1h", "--destination", NO_DESTINATION), "there is no destination"),
    (("recover", "--since", "1h", "--destination", "nonsense"), "--destination: not an id"),
    (("replay",), "say which: an event"),
    (("replay", NO_EVENT), "there is no event"),
    (("replay", "nonsense"), "not an id"),
    (("operations", "show", "nonsense"), "not an id"),
    (("operations", "show", "opr_01h455vb4pex5vsknk084sn02q"), "there is no operation"),
    (("operations", "create", "cancel", "--project", "billing"), "--destination say which"),
]


@pytest.mark.parametrize(("arguments", "complaint"), WRONG, ids=lambda one: " ".join(one) if one else "")
def test_what_is_wrong_is_said(arguments: tuple[str, ...], complaint: str, project: Project) -> None:
    with pytest.raises(CommandError, match=complaint):
        run(*arguments)
    assert not Operation.objects.exists()


def test_an_event_goes_to_no_stranger(project: Project) -> None:
    event = an_event(project, consumer="acme")
    elsewhere, globex = a_destination(a_project()), a_destination(project, consumer="globex")
    for destination, complaint in ((elsewhere, "another project"), (globex, "another consumer")):
        with pytest.raises(CommandError, match=complaint):
            run("replay", event.public_id, "--destination", destination.public_id)
    with pytest.raises(CommandError, match="is one"):
        run("replay", event.public_id, "--since", "1h")
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", "2026-01-02T11:58:30.000000Z"),
        ("30min", "2026-01-02T11:30:00.000000Z"),
        ("6h", "2026-01-02T06:00:00.000000Z"),
        ("7d", "2025-12-26T12:00:00.000000Z"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("999999d", "999999d"),
        ("6 h", "6 h"),
    ],
)
def test_times_are_told_as_people_tell_them(text: str, moment: str) -> None:
    assert console.moment_of(text, at=datetime(2026, 1, 2, 12, tzinfo=UTC)) == moment
