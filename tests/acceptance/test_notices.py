"""A destination dies, and whoever looks after it hears of it: by a webhook, in a chat and by e-mail, once each."""

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.acceptance.conftest import LOOPBACK, Installer
from tests.acceptance.installation import Installation
from tests.acceptance.project import Project, Row
from tests.acceptance.server import Server, kill
from tests.acceptance.waiting import eventually
from tests.mail_server import Letter, MailServer
from tests.receiver import Received, Receiver

LEASE = 30  # seconds until a dead engine's deliveries are taken back
DISABLED, DEAD = "destination.disabled", "delivery.dead"

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiving:
        yield receiving


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def installation(install: Installer, mail: MailServer) -> Installation:
    return install(
        **LOOPBACK,
        TRUNKLINE_LEASE_SECONDS=str(LEASE),
        EMAIL_URL=f"smtp://{mail.host}:{mail.port}/?tls=off",
        TRUNKLINE_EMAIL_FROM="trunkline@example.com",
        TRUNKLINE_PUBLIC_URL="https://trunkline.example.com/",
    )


def subscribe(project: Project, receiver: Receiver) -> None:
    project.destination(receiver.url("/ops"), operational=True)
    project.destination(receiver.url("/chat"), kind="chat", operational=True, event_types=[DISABLED])
    answer = project.client.post(
        "/api/v1/destinations",
        {"kind": "email", "to": ["ops@example.com"], "operational": True, "subject_prefix": "[billing]"},
    )
    assert answer.status == 201, str(answer)


def at(receiver: Receiver, path: str) -> list[Received]:
    return [one for one in list(receiver.requests) if one.path == path]


def types_at(receiver: Receiver) -> Counter[str]:
    """Distinct events by type: what an engine sent and did not live to write comes again, under the same id."""
    return Counter({one.headers["webhook-id"]: json.loads(one.body)["type"] for one in at(receiver, "/ops")}.values())


def about(mail: MailServer, text: str) -> dict[str, Letter]:
    """By Message-ID."""
    letters = {str(one.parsed["message-id"]): one for one in list(mail.letters)}
    return {key: one for key, one in letters.items() if text in one.parsed["subject"]}


def test_gone_is_told_by_every_way_once(installation: Installation, receiver: Receiver, mail: MailServer) -> None:
    with Server(installation, "--setup") as server:
        project = Project.create(installation, "noticed", server.port)
        subscribe(project, receiver)
        gone = project.destination(receiver.url("/gone"), name="Acme's", event_types=["order.*"])
        event = project.publish("order.placed", {"total": 1})
        project.publish(DISABLED, {"destination": {"id": gone["id"]}})  # whatever a producer calls its own
        eventually(lambda: len(mail.letters) == 2 and len(receiver.requests) >= 4)
        eventually(lambda: {row["state"] for row in project.deliveries(state="ready")} == set())
        told = {json.loads(one.body)["type"]: json.loads(one.body)["data"] for one in at(receiver, "/ops")}
        disabled: Row = told[DISABLED]
        assert types_at(receiver) == {DISABLED: 1, DEAD: 1}
        assert disabled["destination"]["id"] == gone["id"]
        assert disabled["destination"]["status"] == "disabled"
        assert (disabled["reason"], disabled["last_status_code"]) == ("gone", 410)
        assert told[DEAD]["deliveries"][0]["event"] == event
        [chat] = at(receiver, "/chat")
        assert "Destination is disabled: Acme's" in json.loads(chat.body)["text"]
        [letter] = about(mail, "is disabled").values()
        assert letter.parsed["subject"] == "[billing] Destination is disabled: Acme's"
        assert "https://trunkline.example.com/admin/destinations/destination/" in letter.text
        assert len(about(mail, "are dead")) == 1
        assert len(mail.letters) == 2
        assert server.logged("operational.notice")


def test_no_kill_loses_a_notice(installation: Installation, receiver: Receiver, mail: MailServer) -> None:
    """Whatever is disabled or dead when the dust has settled was told of; the engine is killed all the while."""
    with Server(installation, "--setup") as server:
        project = Project.create(installation, "killed", server.port)
        subscribe(project, receiver)
        gone = [
            project.destination(receiver.url(f"/gone/{number}"), event_types=["order.*"])["id"] for number in range(12)
        ]
        for _ in range(5):
            before = len(receiver.requests)
            project.publish("order.placed", {})
            receiver.wait_until(lambda seen=before: len(receiver.requests) > seen)  # type: ignore[misc]
            _killed(server)
        eventually(
            lambda: types_at(receiver)[DISABLED] == len(gone) and len(about(mail, "is disabled")) == len(gone),
            patience=2 * LEASE + 30.0,
            why=lambda: types_at(receiver),
        )
        told = [json.loads(one.body) for one in at(receiver, "/ops")]
        assert {one["data"]["destination"]["id"] for one in told if one["type"] == DISABLED} == set(gone)
        dead = {row["destination"] for row in project.deliveries(state="dead")}
        assert dead
        assert dead <= {one["data"]["destination"]["id"] for one in told if one["type"] == DEAD}


def _killed(server: Server) -> None:
    before = server.family().engine
    kill(before)
    eventually(lambda: server.family().engine not in {0, before})
