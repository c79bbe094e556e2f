"""What acceptance tests start from: installations on the database of this run, and one server for the gentle tests."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_network
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pymysql
import pytest

from tests import services
from tests.acceptance.installation import Installation
from tests.acceptance.ledger import settled
from tests.acceptance.project import Project
from tests.acceptance.server import Server
from tests.acceptance.waiting import eventually
from tests.receiver import Receiver

LOOPBACK = {"TRUNKLINE_ALLOWED_NETWORKS": str(ip_network("127.0.0.0/8"))}  # where the receivers are

type Installer = Callable[..., Installation]


@pytest.fixture(scope="session")
def install(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installer]:
    """`install(**variables)`: an installation with a new, empty database of the kind this run is about."""
    with ExitStack() as databases:

        def make(**variables: str) -> Installation:
            directory = tmp_path_factory.mktemp("installation")
            return Installation(directory, databases.enter_context(_database()) | variables)

        yield make


@contextmanager
def _database() -> Iterator[dict[str, str]]:
    """The variables that name it; none for SQLite, whose file lies in the data directory by default."""
    here = os.environ.get("DATABASE_URL", "")
    cache = {name: os.environ[name] for name in ("REDIS_URL",) if os.environ.get(name)}
    server = services.server_of(here)
    if server is None:
        yield cache
        return
    name = f"{urlsplit(here).path.strip('/')}_{uuid4().hex[:8]}"
    services.create_database(server, name)
    try:
        yield {**cache, "DATABASE_URL": f"{server.url}/{name}"}
    finally:
        eventually(lambda: _dropped(server, name))


def _dropped(server: services.DatabaseServer, name: str) -> bool:
    """A server takes a moment to notice that a killed client is gone."""
    try:
        services.drop_databases(server, name)
    except (psycopg.errors.ObjectInUse, pymysql.OperationalError):
        return False
    return True


@pytest.fixture(scope="session")
def server(install: Installer) -> Iterator[Server]:
    """One for all tests that end no process of it; two workers, so that nothing may rely on sharing memory."""
    with Server(install(**LOOPBACK, WEB_CONCURRENCY="2"), "--setup") as running:
        yield running
        assert running.stop() == 0
        assert running.logged("request_failed") == []  # what a 500 leaves


@pytest.fixture(scope="module")
def project(server: Server, request: pytest.FixtureRequest) -> Project:
    """The module's own."""
    return Project.create(server.installation, request.module.__name__.rpartition(".")[2], server.port)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiving:
        yield receiving


@pytest.fixture(scope="module")
def after(project: Project, receiver: Receiver) -> Iterator[dict[str, str]]:
    """By the event published after a test, the test's name; in the end each must have been delivered."""
    destination = project.destination(receiver.url("/hook"), event_types=["still.well"])["id"]
    published: dict[str, str] = {}
    yield published
    delivered = {row["event"] for row in settled(project) if row["destination"] == destination}
    assert [name for event_id, name in published.items() if event_id not in delivered] == []


@pytest.fixture
def unharmed(project: Project, after: dict[str, str], request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test did, Trunkline is ready, and takes and delivers the next event."""
    yield
    assert project.client.get("/readyz").status == 200
    after[project.publish("still.well")] = request.node.name
