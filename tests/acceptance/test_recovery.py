"""Thousands of dead deliveries, recovered in the background while the engine is killed again and again."""

from collections import Counter

import pytest

from tests.acceptance.conftest import LOOPBACK, Installer
from tests.acceptance.installation import Installation, Running
from tests.acceptance.ledger import settled
from tests.acceptance.project import API, Project, Row, expect
from tests.acceptance.server import Server
from tests.acceptance.waiting import eventually
from tests.receiver import Receiver

DEAD, BATCH = 5_000, 1_000
PLACES, LEASE = 16, 30
PATIENCE = 120.0  # seconds for all of it, the last engine's lease included
SINCE = "2026-01-01T00:00:00Z"
# The whole schedule of a delivery takes longer than any test: this is how each of them would end.
GIVE_UP = """
from apps.deliveries.models import Delivery
from apps.kernel.clock import now
Delivery.objects.filter(state="ready").update(state="dead", reason="exhausted", attempts=8, finished_at=now())
"""

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def installation(install: Installer) -> Installation:
    return install(**LOOPBACK, TRUNKLINE_LEASE_SECONDS=str(LEASE), TRUNKLINE_ENGINE_CONCURRENCY=str(PLACES))


def given_up(installation: Installation, project: Project, url: str) -> tuple[str, set[str]]:
    """A destination's id, and the events whose deliveries died there."""
    destination = str(project.destination(url)["id"])
    events: set[str] = set()
    for _ in range(DEAD // BATCH):
        events.update(project.publish_batch([{"type": "invoice.paid", "data": {}}] * BATCH))
    installation.manage("shell", "-c", GIVE_UP)
    return destination, events


def operation(project: Project, public_id: str) -> Row:
    found: Row = expect(200, project.client.get(f"{API}/operations/{public_id}"))
    return found


def killed_on_the_way(engine: Running, project: Project, public_id: str) -> list[int]:
    """The progress at each kill of the engine, which is started again, until the operation has ended."""
    kills: list[int] = []
    seen = operation(project, public_id)
    while seen["state"] == "running":
        engine.start()
        before = seen["processed"]

        def moved(before: int = before) -> Row | None:
            now = operation(project, public_id)
            return now if now["processed"] > before or now["state"] != "running" else None

        seen = eventually(moved, pause=0.005)
        engine.kill()
        kills.append(seen["progress"])
        seen = operation(project, public_id)
    return kills


def test_thousands_are_recovered_while_engines_die(installation: Installation) -> None:
    with Receiver() as receiver, Server(installation, "--setup", engine=False) as server:
        project = Project.create(installation, "recovered", server.port)
        destination, events = given_up(installation, project, receiver.url("/hook"))
        asked = {"kind": "recover", "destination": destination, "since": SINCE}
        made = expect(202, project.client.post(f"{API}/operations", asked))
        assert (made["state"], made["total"], made["progress"]) == ("running", DEAD, 0)
        engine = Running(installation, "run_engine")
        kills = killed_on_the_way(engine, project, made["id"])
        assert any(0 < progress < 100 for progress in kills), f"no kill hit it on its way: {kills}"
        assert kills == sorted(kills)
        with engine:
            deliveries = settled(project, PATIENCE)
        done = operation(project, made["id"])
        assert (done["state"], done["progress"], done["changed"]) == ("completed", 100, DEAD)
        arrived = Counter(one.headers["webhook-id"] for one in receiver.requests)
        assert arrived.keys() == events
        assert arrived.total() - DEAD <= 2 * PLACES * len(kills), arrived.most_common(5)
        assert len(deliveries) == DEAD
