"""Deliveries over REST: looking at them, and what people do about them."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from apps.audit.models import AuditEntry
from apps.deliveries.models import Attempt, Delivery
from apps.deliveries.operations import kinds, services
from apps.deliveries.operations.advancing import advance_next
from apps.deliveries.states import FINAL, Edge, State
from apps.destinations.models import Destination, Status
from apps.destinations.services import destination_disable
from apps.events.models import Event
from apps.kernel.clock import now
from tests.integration.cast import Caller, a_delivery, a_destination, an_event

pytestmark = pytest.mark.django_db


@pytest.fixture
def destination(owner: Caller) -> Destination:
    return a_destination(owner.project)


def delivery(destination: Destination, state: State = State.READY, **fields: Any) -> Delivery:
    return a_delivery(an_event(destination.project), destination, state, **fields)


# Looking


def test_the_fields_of_a_delivery(owner: Caller, destination: Destination) -> None:
    row = delivery(destination, State.DEAD, reason="exhausted", attempts=8, last_status_code=500)
    shown = owner.get(f"deliveries/{row.public_id}").body
    assert shown == owner.get("deliveries").body["data"][0]
    assert set(shown) == {
        "id", "event", "destination", "state", "reason", "due_at", "attempts", "last_status_code", "last_error",
        "created_at", "finished_at",
    }  # fmt: skip
    assert (shown["event"], shown["destination"]) == (row.event.public_id, destination.public_id)
    assert (shown["state"], shown["reason"], shown["attempts"]) == ("dead", "exhausted", 8)
    assert (shown["last_status_code"], shown["last_error"]) == (500, "")


def test_filters(owner: Caller, destination: Destination) -> None:
    dead, ready = delivery(destination, State.DEAD), delivery(destination)
    elsewhere = delivery(a_destination(owner.project), created_at=now() - timedelta(days=2))
    for_acme = an_event(owner.project, type="user.made", consumer="acme")
    died = now() - timedelta(hours=2)
    buried = a_delivery(
        for_acme, destination, State.DEAD, last_error="timeout", last_status_code=503, finished_at=died, created_at=died
    )
    yesterday, an_hour_ago = (quote((now() - timedelta(hours=hours)).isoformat()) for hours in (24, 1))
    expected = {
        "state=dead": {dead, buried},
        "state=ready": {ready, elsewhere},
        f"event={ready.event.public_id}": {ready},
        f"destination={destination.public_id}": {dead, ready, buried},
        f"destination={destination.public_id}&state=ready": {ready},
        f"created_after={yesterday}": {dead, ready, buried},
        f"created_before={yesterday}": {elsewhere},
        f"finished_after={an_hour_ago}": {dead},
        f"finished_before={an_hour_ago}": {buried},
        "state=dead&error=timeout": {buried},
        "error=nothing": set(),
        "state=dead&status_code=503": {buried},
        "event_type=user.made": {buried},
        "state=dead&consumer=acme": {buried},
        f"state=dead&destination={destination.public_id}&event_type=invoice.paid&finished_after={an_hour_ago}": {dead},
        "event=evt_01h455vb4pex5vsknk084sn02q": set(),
        "event=nonsense": set(),
        f"event={destination.public_id}": set(),
    }
    for query, rows in expected.items():
        found = {row["id"] for row in owner.all(f"deliveries?{query}")}
        assert found == {row.public_id for row in rows}, query


def test_attempts_oldest_first(owner: Caller, destination: Destination) -> None:
    row = delivery(destination)
    for number, body in ((2, b"\xff\xfe\x00 not text"), (1, b"it broke")):
        Attempt.objects.create(
            delivery=row, number=number, outcome="failed", status_code=500, response_body=body,
            started_at=now(), duration_ms=12,
        )  # fmt: skip
    answer = owner.get(f"deliveries/{row.public_id}/attempts").body
    assert answer["next"] is None
    first, second = answer["data"]
    assert (first["number"], first["response_body"], second["number"]) == (1, "it broke", 2)
    assert second["response_body"].endswith(" not text")
    assert set(first) == {
        "id", "number", "outcome", "status_code", "error", "detail", "response_body", "started_at", "duration_ms"
    }  # fmt: skip
    assert first["id"].startswith("att_")


def test_an_events_deliveries(owner: Caller, destination: Destination) -> None:
    event = an_event(owner.project)
    mine = {a_delivery(event, one).public_id for one in (destination, a_destination(owner.project))}
    delivery(destination)
    assert {row["id"] for row in owner.all(f"events/{event.public_id}/deliveries")} == mine


# Retrying and cancelling

RETRY = {State.READY: 202, State.SENDING: 409, State.DELIVERED: 202, State.DEAD: 202, State.CANCELLED: 202}
CANCEL = {State.READY: 200, State.SENDING: 200, State.DELIVERED: 409, State.DEAD: 409, State.CANCELLED: 200}


@pytest.mark.parametrize(("state", "status"), RETRY.items())
def test_retry(owner: Caller, destination: Destination, state: State, status: int) -> None:
    row = delivery(destination, state, due_at=now() + timedelta(hours=2), failures=3)
    answer = owner.post(f"deliveries/{row.public_id}/retry")
    assert answer.status == status
    row.refresh_from_db()
    if status == 409:
        assert (answer.body["code"], row.state) == ("sending", state)
        return
    assert (answer.body["id"], answer.body["state"], row.state) == (row.public_id, "ready", State.READY)
    assert row.due_at <= now()
    assert row.failures == (3 if state is State.READY else 0)  # a final one has its whole schedule again
    assert AuditEntry.objects.filter(action="delivery.retried", target=row.public_id).count() == 1


@pytest.mark.parametrize(("state", "status"), CANCEL.items())
def test_cancel(owner: Caller, destination: Destination, state: State, status: int) -> None:
    row = delivery(destination, state)
    answer = owner.post(f"deliveries/{row.public_id}/cancel")
    assert answer.status == status
    row.refresh_from_db()
    if status == 409:
        assert (answer.body["code"], row.state) == (state, state)
        return
    assert (answer.body["state"], row.state, row.claim) == ("cancelled", State.CANCELLED, None)
    told = AuditEntry.objects.filter(action="delivery.cancelled", target=row.public_id).count()
    assert told == int(state not in FINAL)


@pytest.mark.parametrize("state", State)
def test_discard(owner: Caller, destination: Destination, state: State) -> None:
    row = delivery(destination, state)
    answer = owner.post(f"deliveries/{row.public_id}/discard")
    row.refresh_from_db()
    if state not in {State.DEAD, State.CANCELLED}:
        assert (answer.status, answer.body["code"], row.state) == (409, "not_dead", state)
        return
    assert (answer.status, answer.body["state"], row.state) == (200, "cancelled", State.CANCELLED)
    assert row.reason == ("discarded" if state is State.DEAD else "")
    told = AuditEntry.objects.filter(action="delivery.discarded", target=row.public_id).count()
    assert told == int(state is State.DEAD)


# Replaying


@pytest.mark.parametrize("state", State)
def test_replay_to_all_that_want_the_type_now(owner: Caller, destination: Destination, state: State) -> None:
    row = delivery(destination, state)
    fresh = a_destination(owner.project)  # it came after the event
    unmoved = a_destination(owner.project, event_types=["user.*"])
    answer = owner.post(f"events/{row.event.public_id}/replay")
    assert answer.status == 202
    assert {one["destination"] for one in answer.body["data"]} == {destination.public_id, fresh.public_id}
    row.refresh_from_db()
    assert row.state == (State.SENDING if state is State.SENDING else State.READY)
    made = Delivery.objects.get(destination=fresh)
    assert (made.state, made.reason) == (State.READY, Edge.REPLAYED)
    assert not Delivery.objects.filter(destination=unmoved).exists()
    assert AuditEntry.objects.filter(action="event.replayed", target=row.event.public_id).count() == 1


def test_replay_to_one_whatever_it_subscribes_to(owner: Caller, destination: Destination) -> None:
    event, other = an_event(owner.project), a_destination(owner.project, event_types=["user.*"])
    answer = owner.post(f"events/{event.public_id}/replay", {"destination": other.public_id})
    assert [one["destination"] for one in answer.body["data"]] == [other.public_id]
    assert list(Delivery.objects.values_list("destination", flat=True)) == [other.pk]


def test_replay_minds_the_consumer(owner: Caller) -> None:
    acme = a_destination(owner.project, consumer="acme")
    a_destination(owner.project, consumer="globex")
    event = an_event(owner.project, consumer="acme")
    answer = owner.post(f"events/{event.public_id}/replay")
    assert [one["destination"] for one in answer.body["data"]] == [acme.public_id]


def test_a_consumers_event_is_no_other_consumers_business(owner: Caller) -> None:
    theirs = a_destination(owner.project, consumer="globex")
    event = an_event(owner.project, consumer="acme")
    answer = owner.post(f"events/{event.public_id}/replay", {"destination": theirs.public_id})
    assert (answer.status, answer.body["code"]) == (422, "other_consumer")
    assert answer.faults == [("/destination", "other_consumer")]
    assert not Delivery.objects.exists()
    for allowed in (a_destination(owner.project, consumer="acme"), a_destination(owner.project)):
        answer = owner.post(f"events/{event.public_id}/replay", {"destination": allowed.public_id})
        assert answer.status == 202


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"destination": "dst_01h455vb4pex5vsknk084sn02q"}, ("/destination", "not_found")),
        ({"destination": "evt_01h455vb4pex5vsknk084sn02q"}, ("/destination", "invalid_id")),
        ({"destinations": []}, ("/destinations", "unknown_field")),
    ],
)
def test_replay_to_nobody(owner: Caller, body: object, fault: tuple[str, str]) -> None:
    answer = owner.post(f"events/{an_event(owner.project).public_id}/replay", body)
    assert (answer.status, answer.faults) == (422, [fault])
    assert not Delivery.objects.exists()


# Recovering and testing


def test_recover_replays_what_died_since(owner: Caller, destination: Destination) -> None:
    moment = now() - timedelta(hours=1)
    before, at, after = (
        delivery(destination, State.DEAD, finished_at=moment + timedelta(seconds=s)) for s in (-1, 0, 1)
    )
    others = [delivery(destination, state) for state in State if state is not State.DEAD]
    elsewhere = delivery(a_destination(owner.project), State.DEAD)
    answer = owner.post(f"destinations/{destination.public_id}/recover", {"since": moment.isoformat()})
    assert (answer.status, answer.body) == (202, {"recovered": 2})
    for row, state in [(before, State.DEAD), (at, State.READY), (after, State.READY), (elsewhere, State.DEAD)]:
        row.refresh_from_db()
        assert row.state == state
    assert [row.state for row in others] == list(Delivery.objects.filter(
        pk__in=[row.pk for row in others]).order_by("pk").values_list("state", flat=True))  # fmt: skip


def test_recover_leaves_the_rest_to_an_operation(
    owner: Caller, destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "CHUNK", 2)
    monkeypatch.setattr(services, "CHUNK", 2)
    for _ in range(2):
        delivery(a_destination(owner.project), State.DEAD)  # which comes before them, and is nobody's matter
    for _ in range(5):
        delivery(destination, State.DEAD)
    answer = owner.post(f"destinations/{destination.public_id}/recover", {"since": "2026-01-01T00:00:00Z"})
    assert (answer.status, answer.body["recovered"]) == (202, 2)
    path = f"operations/{answer.body['operation']}"
    assert owner.get(path).body["state"] == "running"
    while advance_next():
        pass
    assert {name: owner.get(path).body[name] for name in ("state", "changed")} == {"state": "completed", "changed": 5}
    assert not Delivery.objects.filter(destination=destination, state=State.DEAD).exists()


@pytest.mark.parametrize("body", [{}, {"since": "yesterday"}, {"since": None}, {"since": "2026-01-01", "until": 1}])
def test_recover_needs_a_time(owner: Caller, destination: Destination, body: object) -> None:
    assert owner.post(f"destinations/{destination.public_id}/recover", body).status == 422


def test_a_test_event_goes_to_that_destination_whatever_it_subscribes_to(owner: Caller) -> None:
    chosen, other = a_destination(owner.project, event_types=["user.*"]), a_destination(owner.project)
    answer = owner.post(f"destinations/{chosen.public_id}/test")
    assert (answer.status, answer.body["destination"], answer.body["state"]) == (202, chosen.public_id, "ready")
    assert not Delivery.objects.filter(destination=other).exists()
    event = Event.objects.get()
    assert event.type == "trunkline.test"
    assert owner.get(f"events/{answer.body['event']}").body["data"]["destination"] == chosen.public_id


def test_a_deleted_destination_is_neither_tested_nor_recovered(owner: Caller, destination: Destination) -> None:
    assert owner.delete(f"destinations/{destination.public_id}").status == 204
    for path, body in (("test", {}), ("recover", {"since": "2026-01-01T00:00:00Z"})):
        assert owner.post(f"destinations/{destination.public_id}/{path}", body).status == 404


def test_disabling_by_trunkline_itself_is_done_once(destination: Destination) -> None:
    for reason in ("gone", "again"):
        destination_disable(destination_id=destination.pk, reason=reason)
    destination.refresh_from_db()
    assert (destination.status, destination.status_reason) == (Status.DISABLED, "gone")
