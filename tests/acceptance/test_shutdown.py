"""Being told to end in mid-traffic: Trunkline ends well, holds nothing back, and loses and repeats nothing."""

import pytest

from tests.acceptance.client import Client
from tests.acceptance.conftest import LOOPBACK, Installer
from tests.acceptance.ledger import assert_all_delivered
from tests.acceptance.project import Project
from tests.acceptance.server import Server
from tests.acceptance.traffic import Traffic
from tests.receiver import Receiver


@pytest.mark.timeout(120)
def test_an_end_in_mid_traffic_loses_and_repeats_nothing(install: Installer, receiver: Receiver) -> None:
    """SIGTERM, as a service manager sends it, and Ctrl-C, which a terminal sends to every process at once."""
    installation = install(**LOOPBACK)
    with Server(installation, "--setup") as server, Server(installation, engine=False) as witness:
        project = Project.create(installation, "ended", server.port)
        project.destination(receiver.url("/slow/100"))
        watching = Project("ended", Client(witness.port, project.client.api_key))
        with Traffic(server.port, project.client.api_key) as traffic:
            for tell_to_end in (server.terminate, server.interrupt):
                traffic.wait_for_more(50)
                tell_to_end()
                assert server.ended() == 0
                assert watching.deliveries(state="sending") == []
                server.start()
        assert_all_delivered(project, receiver, traffic, repeats=0, patience=20)
        assert len(server.logged("engine.stopped")) == 2
        assert server.logged("process.died") == []
        assert "Traceback" not in server.output()
