"""SIGTERM in mid-traffic: it ends well, holds nothing back, and loses and repeats nothing."""

import pytest

from tests.acceptance.client import Client
from tests.acceptance.conftest import LOOPBACK, Installer
from tests.acceptance.ledger import assert_all_delivered
from tests.acceptance.project import Project
from tests.acceptance.server import Server
from tests.acceptance.traffic import Traffic
from tests.receiver import Receiver


@pytest.mark.timeout(120)
def test_a_stop_in_mid_traffic_loses_and_repeats_nothing(install: Installer, receiver: Receiver) -> None:
    installation = install(**LOOPBACK)
    with Server(installation, "--setup") as server, Server(installation, engine=False) as witness:
        project = Project.create(installation, "stopped", server.port)
        project.destination(receiver.url("/slow/100"))
        watching = Project("stopped", Client(witness.port, project.client.api_key))
        with Traffic(server.port, project.client.api_key) as traffic:
            for _ in range(2):
                traffic.wait_for_more(50)
                assert server.stop() == 0
                assert watching.deliveries(state="sending") == []
                server.start()
        assert_all_delivered(project, receiver, traffic, repeats=0, patience=20)
        assert len(server.logged("engine.stopped")) == 2


def test_ctrl_c_in_a_terminal_ends_all_of_it(install: Installer) -> None:
    """A terminal sends SIGINT to every process of the group at once."""
    with Server(install(**LOOPBACK), "--setup") as server:
        server.interrupt()
        assert server.ended() == 0
        assert "Traceback" not in server.output()
        assert server.logged("process.died") == []
