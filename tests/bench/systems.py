"""What is measured: the bare limit and Trunkline, as processes: `edge` takes events in, `engine` sends them out."""

import json
import subprocess
import sys
import time
import urllib.error
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

from tests.bench.memory import Memory
from tests.bench.rig import PATIENCE, Sink, free_port, get, manage, process, wait_for_port
from tools.environment import clean_environment


class System(Protocol):
    """A system under load: where its ingest is, and its two processes."""

    url: str
    headers: list[str]

    @contextmanager
    def edge(self) -> Iterator[None]: ...

    @contextmanager
    def engine(self, count: int) -> Iterator[None]: ...


class Bare:
    """The bare limit on PostgreSQL."""

    headers: list[str]

    def __init__(self, database_url: str, sink: Sink) -> None:
        self.port, self.headers = free_port(), []
        self.url = f"http://127.0.0.1:{self.port}/v1/events"
        self.env = {"DSN": database_url, "SINK": f"{sink.url}/hook"}
        with process("-m", "tests.bench.limit.bare", "schema", env=self.env) as child:
            child.wait(30)

    @contextmanager
    def edge(self) -> Iterator[None]:
        with process("-m", "tests.bench.limit.bare", "edge", str(self.port), env=self.env):
            wait_for_port(self.port)
            yield

    @contextmanager
    def engine(self, count: int) -> Iterator[None]:
        with process("-m", "tests.bench.limit.bare", "engine", str(count), env=self.env):
            yield


class Trunkline:
    """Trunkline with all its features on, on a migrated database with a project whose API key is given."""

    engines = 1

    def __init__(self, env: dict[str, str], key: str, memory: Memory) -> None:
        self.port, self.env, self.memory = free_port(), env, memory
        self.url = f"http://127.0.0.1:{self.port}/api/v1/events"
        self.headers = [f"authorization: Bearer {key}"]

    def subscribe(self, wanted: list[tuple[str, str]]) -> None:
        """Destinations, each a URL and a pattern of event types."""
        subprocess.run(
            [sys.executable, "-m", "tests.bench.subscribe"],
            input=json.dumps(wanted).encode(),
            env=clean_environment(**self.env),
            stdout=subprocess.DEVNULL,
            check=True,
        )

    @contextmanager
    def edge(self) -> Iterator[None]:
        with process("manage.py", "serve", "--no-engine", "--port", str(self.port), env=self.env) as child:
            self._wait_until_healthy()
            yield
            self.memory.note(child.pid)

    @contextmanager
    def engine(self, count: int) -> Iterator[None]:
        with ExitStack() as stack:
            run = ("manage.py", "run_engine", "--grace", "1")
            children = [stack.enter_context(process(*run, env=self.env)) for _ in range(self.engines)]
            yield
            for child in children:
                self.memory.note(child.pid, "engine")

    def _wait_until_healthy(self) -> None:
        wait_for_port(self.port)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                get(f"http://127.0.0.1:{self.port}/healthz")
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.05)
            else:
                return
        raise TimeoutError("Trunkline does not answer")


def installed(database_url: str, data_dir: str) -> tuple[dict[str, str], str]:
    """Migrate, make a project: the environment to run in, and the project's API key."""
    env = {
        "DATABASE_URL": database_url,
        "TRUNKLINE_DATA_DIR": data_dir,
        "TRUNKLINE_ALLOWED_NETWORKS": "127.0.0.0/8",
        "LOG_FORMAT": "json",
    }
    manage("migrate", "--verbosity", "0", env=env)
    return env, json.loads(manage("create_project", "bench", "--json", env=env))["api_key"]
