"""What the scenarios are played on: a sink, and either the bare limit or Trunkline, as processes over real sockets."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

import psycopg

POSTGRES = os.environ.get("TRUNKLINE_TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
DATABASE = "trunkline_bench"
PATIENCE = 120.0  # seconds that anything may take


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def process(*args: str, env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process of ours, ended with the block."""
    child = subprocess.Popen([sys.executable, *args], env={**os.environ, **env}, stdout=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.terminate()
        child.wait(30)


def manage(*args: str, env: Mapping[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *args], env={**os.environ, **env}, stdout=subprocess.PIPE, check=True, text=True
    )
    return done.stdout


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
        return body


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on {port}")


class Sink:
    """The receiver's process, asked for what it got."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def stats(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(get(f"{self.url}/stats"))
        return found

    def reset(self) -> None:
        get(f"{self.url}/reset")

    def wait_for(self, unique: int) -> dict[str, Any]:
        """The book once so many events came; gives up when nothing has come for a while."""
        seen, changed = -1, time.monotonic()
        while time.monotonic() - changed < PATIENCE / 4:
            stats = self.stats()
            if stats["unique"] >= unique:
                return stats
            if stats["unique"] != seen:
                seen, changed = stats["unique"], time.monotonic()
            time.sleep(0.1)
        raise TimeoutError(f"{seen} of {unique} events arrived, then no more")


@contextmanager
def sink() -> Iterator[Sink]:
    port = free_port()
    with process("-m", "tests.bench.limit.sink", str(port), env={}):
        wait_for_port(port)
        yield Sink(port)


class Rig(Protocol):
    """A system under load: `start` its edge, run an `engine`, know the ingest call."""

    name: str
    url: str
    headers: list[str]

    def edge(self) -> Any: ...

    def engine(self, count: int) -> Any: ...


@contextmanager
def fresh_postgres() -> Iterator[str]:
    """An empty database of our own, and its URL; dropped afterwards."""
    with psycopg.connect(POSTGRES, autocommit=True) as admin:
        admin.execute(f"drop database if exists {DATABASE} with (force)".encode())
        admin.execute(f"create database {DATABASE}".encode())
        try:
            yield POSTGRES.rpartition("/")[0] + f"/{DATABASE}"
        finally:
            admin.execute(f"drop database if exists {DATABASE} with (force)".encode())


class Bare:
    """The bare limit on PostgreSQL."""

    name, headers = "bare limit", list[str]()

    def __init__(self, database_url: str, sink: Sink) -> None:
        self.port = free_port()
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
    """Trunkline with all its features on, one destination that wants everything."""

    def __init__(self, database_url: str, sink: Sink, data_dir: str) -> None:
        self.name = "Trunkline on " + ("PostgreSQL" if database_url.startswith("postgres") else "SQLite")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/api/v1/events"
        self.env = {
            "DATABASE_URL": database_url,
            "TRUNKLINE_DATA_DIR": data_dir,
            "TRUNKLINE_ALLOWED_NETWORKS": "127.0.0.0/8",
            "LOG_FORMAT": "json",
        }
        manage("migrate", "--verbosity", "0", env=self.env)
        key = json.loads(manage("create_project", "bench", "--json", env=self.env))["api_key"]
        self.headers = [f"authorization: Bearer {key}"]
        self._subscribe(key, f"{sink.url}/hook")

    def _subscribe(self, key: str, url: str) -> None:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        body = json.dumps({"url": url, "event_types": ["*"]}).encode()
        with self.edge():
            address = f"http://127.0.0.1:{self.port}/api/v1/destinations"
            urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=10).close()

    @contextmanager
    def edge(self) -> Iterator[None]:
        with process("manage.py", "serve", "--no-engine", "--port", str(self.port), env=self.env):
            wait_for_port(self.port)
            yield

    @contextmanager
    def engine(self, count: int) -> Iterator[None]:
        with process("manage.py", "run_engine", "--grace", "1", env=self.env):
            yield


@contextmanager
def trunkline(database_url: str | None, sink: Sink) -> Iterator[Trunkline]:
    """On the given database, or on SQLite in a directory of its own."""
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="trunkline-bench-"))
        yield Trunkline(database_url or f"sqlite:///{directory}/bench.sqlite3", sink, directory)


def load(url: str, headers: list[str], **options: float) -> dict[str, Any]:
    """Run the load generator to its end; its report."""
    flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    heads = [part for header in headers for part in ("--header", header)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.limit.load", url, *heads, *flags],
        stdout=subprocess.PIPE,
        check=True,
        timeout=PATIENCE,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report
