"""kill -9 in mid-traffic, again and again: whatever was answered with 202 is delivered, and little of it twice."""

from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.conftest import LOOPBACK, Installer
from tests.acceptance.installation import Installation, Running
from tests.acceptance.ledger import assert_all_delivered
from tests.acceptance.project import Project
from tests.acceptance.server import Server, kill
from tests.acceptance.traffic import Traffic
from tests.acceptance.waiting import eventually
from tests.receiver import Receiver

PLACES = 16  # deliveries an engine has in flight at most
HELD = 2 * PLACES  # what one kill can make arrive twice: those, and the ones that ended and wait to be written
LEASE = 30  # seconds until a dead engine's deliveries are taken back
SETTLED = LEASE + 30.0  # seconds from the last kill until all is delivered
EVENTS = 50  # between two kills

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def installation(install: Installer) -> Installation:
    return install(**LOOPBACK, TRUNKLINE_LEASE_SECONDS=str(LEASE), TRUNKLINE_ENGINE_CONCURRENCY=str(PLACES))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A slow one, so that something is in flight at every moment."""
    with Receiver() as receiving:
        yield receiving


def in_flight(receiver: Receiver) -> None:
    """Returns just when a delivery has arrived that the receiver will take its time to answer."""
    before = len(receiver.requests)
    receiver.wait_until(lambda: len(receiver.requests) > before)


def rescued(*processes: Running) -> int:
    """How many deliveries were taken back from engines that were killed."""
    return sum(line["count"] for process in processes for line in process.logged("deliveries.rescued"))


def test_one_process_group_killed_whole_and_in_parts(installation: Installation, receiver: Receiver) -> None:
    with Server(installation, "--setup") as server:
        project = Project.create(installation, "killed", server.port)
        project.destination(receiver.url("/slow/100"))
        with Traffic(server.port, project.client.api_key) as traffic:
            for kill_it in (_whole, _engine, _intake, _whole, _control, _supervisor, _worker):
                traffic.wait_for_more(EVENTS)
                in_flight(receiver)
                kill_it(server)
            traffic.wait_for_more(EVENTS)
        assert_all_delivered(project, receiver, traffic, repeats=3 * HELD, patience=SETTLED)
        assert rescued(server) > 0, "no kill hit anything in flight"
        assert traffic.unanswered > 0, "no kill hit a request"


def _whole(server: Server) -> None:
    server.kill()
    server.start()


def _engine(server: Server) -> None:
    _replaced(lambda: server.family().engine)


def _intake(server: Server) -> None:
    _replaced(lambda: server.family().intake)


def _control(server: Server) -> None:
    _replaced(lambda: server.family().control)


def _worker(server: Server) -> None:
    _replaced(lambda: server.family().worker)


def _replaced(who: Callable[[], int]) -> None:
    """Kill it, and wait for its successor."""
    before = who()
    kill(before)
    eventually(lambda: who() != before)


def _supervisor(server: Server) -> None:
    """Its children end by themselves, in good order, and make room for the next."""
    kill(server.process.pid)
    assert server.ended() == -9
    server.start()


@pytest.mark.database("postgresql", "mysql")
def test_a_web_server_and_two_engines_killed_in_turn(installation: Installation, receiver: Receiver) -> None:
    with (
        Server(installation, "--setup", engine=False) as server,
        Running(installation, "run_engine") as one,
        Running(installation, "run_engine") as two,
    ):
        project = Project.create(installation, "killed", server.port)
        project.destination(receiver.url("/slow/100"))
        with Traffic(server.port, project.client.api_key) as traffic:
            for victims in ((one,), (one, two, server), (two,), (server,)):
                traffic.wait_for_more(EVENTS)
                in_flight(receiver)
                for victim in victims:
                    victim.kill()
                for victim in victims:
                    victim.start()
            traffic.wait_for_more(EVENTS)
        assert_all_delivered(project, receiver, traffic, repeats=4 * HELD, patience=SETTLED)
        assert rescued(one, two) > 0, "no kill hit anything in flight"
        assert traffic.unanswered > 0, "no kill hit a request"
