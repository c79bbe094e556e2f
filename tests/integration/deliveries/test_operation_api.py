"""Operations over REST."""

from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.deliveries.models import Delivery, Operation
from apps.deliveries.operations.advancing import advance_next
from apps.deliveries.states import State
from tests.integration.cast import Caller, a_delivery, a_destination, an_event

pytestmark = pytest.mark.django_db
SINCE = {"since": "2026-01-01T00:00:00Z"}


def test_one_is_made_and_watched(owner: Caller) -> None:
    destination = a_destination(owner.project)
    a_delivery(an_event(owner.project), destination, State.DEAD)
    answer = owner.post("operations", {"kind": "recover", "destination": destination.public_id, **SINCE})
    made = answer.body
    assert (answer.status, answer.headers["location"]) == (202, f"/api/v1/operations/{made['id']}")
    assert {name: made[name] for name in ("kind", "state", "progress", "total", "processed", "changed", "error")} == {
        "kind": "recover", "state": "running", "progress": 0, "total": 1, "processed": 0, "changed": 0, "error": "",
    }  # fmt: skip
    assert made["parameters"] == {"destination": destination.public_id, **SINCE}
    assert (made["created_by"], made["finished_at"]) == ("a caller's", None)
    assert owner.get(answer.headers["location"]).body == made
    assert AuditEntry.objects.filter(action="operation.created", target=made["id"]).count() == 1
    while advance_next():
        pass
    done = owner.get(answer.headers["location"]).body
    assert (done["state"], done["progress"], done["processed"], done["changed"]) == ("completed", 100, 1, 1)
    assert done["finished_at"]
    assert Delivery.objects.get().state == State.READY


def test_it_is_held_and_called_off(owner: Caller) -> None:
    path = f"operations/{owner.post('operations', {'kind': 'discard'}).body['id']}"
    for move, state in (("pause", "paused"), ("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        answer = owner.post(f"{path}/{move}")
        assert (answer.status, answer.body["state"]) == (200, state)
    answer = owner.post(f"{path}/resume")
    assert (answer.status, answer.body["code"]) == (409, "operation_ended")


def test_the_list_is_narrowed(owner: Caller) -> None:
    first = owner.post("operations", {"kind": "discard"}).body["id"]
    second = owner.post("operations", {"kind": "replay", **SINCE}).body["id"]
    owner.post(f"operations/{first}/pause")
    for query, found in {
        "": [second, first], "state=paused": [first], "kind=replay": [second], "state=failed": [],
    }.items():  # fmt: skip
        assert [row["id"] for row in owner.all(f"operations?{query}")] == found
    assert owner.get("operations?state=nonsense").faults == [("?state", "invalid_choice")]


WRONG: list[tuple[dict[str, Any], tuple[str, str]]] = [
    ({}, ("/kind", "invalid")),
    ({"kind": "destroy"}, ("/kind", "invalid")),
    ({"kind": ["recover"]}, ("/kind", "invalid")),
    ({"kind": "recover"}, ("/since", "required")),
    ({"kind": "recover", "since": "yesterday"}, ("/since", "invalid")),
    ({"kind": "recover", **SINCE, "until": "2025-01-01T00:00:00Z"}, ("/until", "invalid")),
    ({"kind": "recover", **SINCE, "destinations": []}, ("/destinations", "unknown_field")),
    ({"kind": "recover", **SINCE, "destination": "evt_01h455vb4pex5vsknk084sn02q"}, ("/destination", "invalid_id")),
    ({"kind": "recover", **SINCE, "destination": "dst_01h455vb4pex5vsknk084sn02q"}, ("/destination", "not_found")),
    ({"kind": "replay", **SINCE, "only_matching": True}, ("/only_matching", "invalid")),
    ({"kind": "replay", **SINCE, "only_matching": "yes"}, ("/only_matching", "invalid")),
    ({"kind": "discard", "consumer": "a\u0000b"}, ("/consumer", "invalid")),
    ({"kind": "cancel"}, ("/destination", "invalid")),
]


@pytest.mark.parametrize(("body", "fault"), WRONG)
def test_what_is_wrong_is_pointed_at(body: dict[str, Any], fault: tuple[str, str], owner: Caller) -> None:
    answer = owner.post("operations", body)
    assert (answer.status, answer.faults) == (422, [fault])
    assert not Operation.objects.exists()


def test_a_destination_of_another_project_is_not_there(owner: Caller, stranger: Caller) -> None:
    theirs = a_destination(stranger.project).public_id
    for kind in ("recover", "replay", "cancel"):
        answer = owner.post("operations", {"kind": kind, "destination": theirs, **SINCE})
        assert (answer.status, answer.faults) == (422, [("/destination", "not_found")])


def test_a_consumers_destination_is_not_for_anothers_events(owner: Caller) -> None:
    theirs = a_destination(owner.project, consumer="globex").public_id
    answer = owner.post("operations", {"kind": "replay", "destination": theirs, "consumer": "acme", **SINCE})
    assert (answer.status, answer.body["code"]) == (422, "other_consumer")


def test_operations_reach_no_further_than_the_project(owner: Caller, stranger: Caller) -> None:
    for caller in (owner, stranger):
        destination = a_destination(caller.project)
        a_delivery(an_event(caller.project), destination, State.DEAD)
        a_delivery(an_event(caller.project), destination, State.READY)
    for kind in ("recover", "replay", "retry", "discard"):
        owner.post("operations", {"kind": kind, **SINCE})
    owner.post("operations", {"kind": "cancel", **SINCE})
    before = list(Delivery.objects.filter(project=stranger.project).order_by("pk").values())
    while advance_next():
        pass
    assert list(Delivery.objects.filter(project=stranger.project).order_by("pk").values()) == before
