"""What happens after an attempt that failed, as producer and receiver see it."""

from datetime import datetime, timedelta

import pytest

from tests.acceptance.client import Client
from tests.acceptance.project import API, Project, Row, expect
from tests.acceptance.waiting import eventually
from tests.receiver import Received, Receiver

LATE = 3.0  # seconds a busy machine may be late
FIRST_RETRY = (4.5, 5.5)  # 5 s, give or take 10 %
RETRY_AFTER = 7.0  # seconds; what the receiver's /limited asks for


def seconds_between(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)) / timedelta(seconds=1)


@pytest.fixture(scope="module")
def destinations(project: Project, receiver: Receiver) -> dict[str, str]:
    made = {path: project.destination(receiver.url(path), event_types=["order.*"]) for path in PATHS}
    return {path: row["id"] for path, row in made.items()}


PATHS = ("/flaky/1", "/gone", "/limited")


@pytest.fixture(scope="module")
def event(project: Project, destinations: dict[str, str]) -> str:
    return project.publish("order.placed", {"total": 1200})


def requests_at(receiver: Receiver, path: str) -> list[Received]:
    return [one for one in list(receiver.requests) if one.path == path]


def test_one_failure_then_success(
    project: Project, receiver: Receiver, destinations: dict[str, str], event: str
) -> None:
    delivery = project.tried(event, destinations["/flaky/1"], times=2)
    assert (delivery["state"], delivery["last_status_code"]) == ("delivered", 200)
    first, second = project.attempts(delivery["id"])
    assert [(one["number"], one["status_code"], one["outcome"]) for one in (first, second)] == [
        (1, 500, "failed"),
        (2, 200, "succeeded"),
    ]
    earliest, latest = FIRST_RETRY
    assert earliest <= seconds_between(first["started_at"], second["started_at"]) <= latest + LATE
    one, two = requests_at(receiver, "/flaky/1")
    assert one.body == two.body
    assert one.headers["webhook-id"] == two.headers["webhook-id"] == event
    assert one.headers["webhook-timestamp"] < two.headers["webhook-timestamp"]
    assert one.headers["webhook-signature"] != two.headers["webhook-signature"]


def test_gone_disables_the_destination(
    project: Project, receiver: Receiver, destinations: dict[str, str], event: str
) -> None:
    delivery = project.tried(event, destinations["/gone"])
    assert (delivery["state"], delivery["reason"], delivery["last_status_code"]) == ("dead", "rejected", 410)
    path = f"{API}/destinations/{destinations['/gone']}"
    disabled: Row = eventually(lambda: _disabled(project.client, path))
    assert disabled["status_reason"] == "gone"
    later = project.publish("order.paid")
    assert project.deliveries(event=later, destination=destinations["/gone"]) == []
    assert len(requests_at(receiver, "/gone")) == 1


def _disabled(client: Client, path: str) -> Row:
    found: Row = expect(200, client.get(path))
    return found if found["status"] == "disabled" else {}


def test_the_receivers_own_wish_for_later_is_honoured(
    project: Project, receiver: Receiver, destinations: dict[str, str], event: str
) -> None:
    delivery = project.tried(event, destinations["/limited"])
    [first] = project.attempts(delivery["id"])
    assert (first["status_code"], delivery["state"]) == (429, "ready")
    assert seconds_between(first["started_at"], delivery["due_at"]) >= RETRY_AFTER
    again = project.tried(event, destinations["/limited"], times=2)
    first, second = project.attempts(again["id"])
    assert RETRY_AFTER <= seconds_between(first["started_at"], second["started_at"]) <= RETRY_AFTER + LATE


def test_a_paused_destination_gets_its_deliveries_when_it_is_resumed(project: Project, receiver: Receiver) -> None:
    destination = project.destination(receiver.url("/paused"), event_types=["pause.*"])["id"]
    path = f"{API}/destinations/{destination}"
    expect(200, project.client.post(f"{path}/pause", {}))
    event = project.publish("pause.tested")
    other = project.destination(receiver.url("/beside"), event_types=["pause.*"])["id"]
    project.tried(project.publish("pause.tested"), other)  # an engine has looked since
    assert project.delivery(event, destination)["state"] == "ready"
    assert requests_at(receiver, "/paused") == []
    expect(200, project.client.post(f"{path}/resume", {}))
    assert project.tried(event, destination)["state"] == "delivered"


def test_a_delivery_that_waits_can_be_sent_at_once(project: Project, receiver: Receiver) -> None:
    destination = project.destination(receiver.url("/flaky/1/hasty"), event_types=["haste.*"])["id"]
    event = project.publish("haste.made")
    waiting = project.tried(event, destination)
    expect(202, project.client.post(f"{API}/deliveries/{waiting['id']}/retry", {}))
    project.tried(event, destination, times=2)
    first, second = project.attempts(waiting["id"])
    assert seconds_between(first["started_at"], second["started_at"]) < FIRST_RETRY[0]


def test_a_replay_sends_it_again(project: Project, receiver: Receiver) -> None:
    destination = project.destination(receiver.url("/again"), event_types=["replay.*"])["id"]
    event = project.publish("replay.wanted", {"n": 1})
    assert project.tried(event, destination)["state"] == "delivered"
    expect(202, project.client.post(f"{API}/events/{event}/replay", {}))
    assert project.tried(event, destination, times=2)["state"] == "delivered"
    one, two = requests_at(receiver, "/again")
    assert (one.body, one.headers["webhook-id"]) == (two.body, two.headers["webhook-id"])
