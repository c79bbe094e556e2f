"""What a case is played on: servers of its own, Trunkline as an operator runs it, a receiver, and a destination."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Self

from tests.acceptance.installation import Installation, Running
from tests.acceptance.project import API, Project
from tests.acceptance.server import Server, free_port
from tests.acceptance.waiting import eventually
from tests.bench.rig import process, wait_for_port
from tests.chaos.faults import clock
from tests.chaos.faults.disk import small_disk
from tests.chaos.proxy import Proxy
from tests.chaos.records import Row
from tests.chaos.servers.mariadb import MariaDB
from tests.chaos.servers.postgresql import PostgreSQL, Replicated
from tests.chaos.servers.redis import Redis

LEASE = 30  # seconds: the shortest there is
PLACES = 64  # deliveries an engine has in flight at most
AUDIT_TIME = 120.0


@dataclass(frozen=True, slots=True)
class Setting:
    """How a stage is set."""

    database: str = "postgresql"  # or sqlite, mariadb, replicated
    engines: int = 2  # 0: one, in the server's group
    redis: bool = False
    bad_line_to: frozenset[str] = frozenset()  # of "database" and "receiver": a proxy stands before it
    path: str = "/slow/20"  # of the receiver
    destination: Mapping[str, Any] = field(default_factory=dict)  # further fields
    disk: int = 0  # megabytes for Trunkline's data; 0: the machine's disk
    clock: bool = False  # may jump


class Stage:
    """Stands while its block runs; whatever happens in it, every process ends and every directory goes."""

    server: Server
    project: Project

    def __init__(self, setting: Setting, directory: Path) -> None:
        self.setting, self.directory = setting, directory
        self.book = directory / "receipts"
        self.clock = directory / "clock"
        self.engines: list[Running] = []
        self.proxies: dict[str, Proxy] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack:
            self._raise_curtain()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _raise_curtain(self) -> None:
        variables = {
            "TRUNKLINE_ALLOWED_NETWORKS": "127.0.0.0/8",
            "TRUNKLINE_LEASE_SECONDS": str(LEASE),
            "TRUNKLINE_ENGINE_CONCURRENCY": str(PLACES),
            **self._database(),
            **self._cache(),
            **(clock.variables(self.clock) if self.setting.clock else {}),
        }
        self.installation = Installation(self.directory / "installation", variables)
        if self.setting.disk:
            self._stack.enter_context(small_disk(self.installation.data, self.setting.disk))
        port = self._receiver()
        self.installation.manage("migrate", "--verbosity", "0")  # not by `serve --setup`: restarts must be quick
        self.server = Server(self.installation, engine=not self.setting.engines)
        self._stack.enter_context(self.server)
        for _ in range(self.setting.engines):
            self.engines.append(self._stack.enter_context(Running(self.installation, "run_engine")))
        self.project = Project.create(self.installation, "chaos", self.server.port)
        self.project.destination(f"http://127.0.0.1:{port}{self.setting.path}", **self.setting.destination)

    @property
    def processes(self) -> list[Running]:
        """Of Trunkline; the server last, as its start waits until it is ready."""
        return [*self.engines, self.server]

    def _database(self) -> dict[str, str]:
        made = DATABASES[self.setting.database](self)
        return {"DATABASE_URL": made} if made else {}

    def postgresql(self) -> str:
        self.database = PostgreSQL(self.directory / "postgresql")
        self.database.make()
        self._stack.enter_context(self.database)
        return self.database.url(self._line_to("database", self.database.port))

    def replicated(self) -> str:
        self.pair = self._stack.enter_context(Replicated(self.directory / "postgresql"))
        return self.pair.primary.url(self._line_to("database", self.pair.primary.port))

    def mariadb(self) -> str:
        self.maria = MariaDB(self.directory / "mariadb")
        self.maria.make()
        self._stack.enter_context(self.maria)
        return self.maria.make_database()

    def sqlite(self) -> str:
        """In the data directory."""
        return ""

    def _cache(self) -> dict[str, str]:
        if not self.setting.redis:
            return {}
        self.redis = self._stack.enter_context(Redis(self.directory / "redis"))
        return {"REDIS_URL": self.redis.url}

    def _receiver(self) -> int:
        port = free_port()
        self._stack.enter_context(process("-m", "tests.chaos.receiver", str(port), str(self.book), env={}))
        wait_for_port(port)
        return self._line_to("receiver", port)

    def _line_to(self, whom: str, port: int) -> int:
        """The port to use: a proxy's, where the setting wants one."""
        if whom not in self.setting.bad_line_to:
            return port
        self.proxies[whom] = self._stack.enter_context(Proxy(port))
        return self.proxies[whom].port

    # What became of it

    def wait_until_settled(self, patience: float) -> None:
        """Nothing is to be sent, and nothing under way: looked at twice, as one can hide from both lists."""
        for _ in range(2):
            eventually(lambda: not self._open(), patience=patience, pause=0.5, why=self._open)

    def _open(self) -> list[Any]:
        found: list[Any] = []
        for state in ("ready", "sending"):
            answer = self.project.client.get(f"{API}/deliveries?state={state}&limit=3")
            found += answer.json["data"] if answer.status == 200 else [str(answer)]
        return found

    def rows(self) -> list[Row]:
        """Every delivery, as the database has it."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.chaos.audit"],
            env=self.installation.environment,
            capture_output=True,
            text=True,
            timeout=AUDIT_TIME,
            check=True,
        )
        rows = map(json.loads, done.stdout.splitlines())
        return [
            Row(event, state, attempts, failures, tuple(outcomes), tuple(numbers))
            for event, state, attempts, failures, outcomes, numbers in rows
        ]

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Such lines in the logs of all processes."""
        return [line for one in self.processes for line in one.logged(event)]


DATABASES: dict[str, Callable[[Stage], str]] = {
    "postgresql": Stage.postgresql,
    "replicated": Stage.replicated,
    "mariadb": Stage.mariadb,
    "sqlite": Stage.sqlite,
}


def seeded(seed: int, name: str) -> Random:
    """Dice of a case's own: the same seed makes the same moments, whichever cases are played."""
    return Random(f"{seed} {name}")
