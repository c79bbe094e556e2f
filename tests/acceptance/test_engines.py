"""Engines in processes of their own: they share the work, and each judges addresses for itself."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.acceptance.client import Client
from tests.acceptance.conftest import LOOPBACK, Installer
from tests.acceptance.installation import Running
from tests.acceptance.ledger import settled
from tests.acceptance.project import Project
from tests.acceptance.server import Server
from tests.acceptance.waiting import eventually
from tests.receiver import Receiver

BATCHES, BATCH = 20, 100


@dataclass(frozen=True, slots=True)
class Cluster:
    """An API server and two engines."""

    server: Server
    engines: tuple[Running, Running]


@pytest.fixture(scope="module")
def cluster(install: Installer) -> Iterator[Cluster]:
    installation = install(**LOOPBACK)
    with (
        Server(installation, "--setup", engine=False) as server,
        Running(installation, "run_engine") as one,
        Running(installation, "run_engine") as two,
    ):
        eventually(lambda: "2 alive" in _readiness(server), why=lambda: _readiness(server))
        yield Cluster(server, (one, two))


@pytest.fixture(scope="module")
def project(cluster: Cluster) -> Project:
    return Project.create(cluster.server.installation, "engines", cluster.server.port)


def _readiness(server: Server) -> str:
    return str(Client(server.port).get("/readyz").json["parts"]["engine"]["detail"])


def test_two_engines_deliver_two_thousand_events_once_each(
    cluster: Cluster, project: Project, receiver: Receiver
) -> None:
    project.destination(receiver.url("/hook"))

    def publish(batch: int) -> list[str]:
        first = batch * BATCH
        return project.publish_batch([{"type": "bulk.sent", "data": {"n": first + n}} for n in range(BATCH)])

    with ThreadPoolExecutor(4) as threads:
        published = [event for ids in threads.map(publish, range(BATCHES)) for event in ids]
    received = receiver.wait_for(len(published))
    settled(project)
    assert Counter(one.headers["webhook-id"] for one in received) == Counter(published)
    assert sorted(json.loads(one.body)["data"]["n"] for one in received) == list(range(BATCHES * BATCH))
    shares = [len(engine.logged("delivery.attempted")) for engine in cluster.engines]
    assert sum(shares) == len(published)
    assert min(shares) > 0, "one of them did all the work"


def test_an_address_is_judged_again_when_it_is_called(cluster: Cluster, receiver: Receiver) -> None:
    """As when a name points elsewhere by then: here the engine is stricter than the server that took the URL."""
    for engine in cluster.engines:
        assert engine.stop() == 0
    server = cluster.server
    project = Project.create(server.installation, "judged", server.port)
    ids = [project.destination(receiver.url("/", host))["id"] for host in ("127.0.0.1", "localhost")]
    before = receiver.accepted
    with Running(server.installation, "run_engine", TRUNKLINE_ALLOWED_NETWORKS="") as strict:
        event = project.publish("judged.twice")
        for destination in ids:
            delivery = project.tried(event, destination)
            assert (delivery["state"], delivery["last_error"]) == ("ready", "address_refused")
            [attempt] = project.attempts(delivery["id"])
            assert "loopback address" in attempt["detail"]
        assert strict.stop() == 0
    assert receiver.accepted == before
