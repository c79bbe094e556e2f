"""Processes over real sockets: the receiver, the load generator, a database of their own."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg

from tools.environment import clean_environment

POSTGRES = os.environ.get("TRUNKLINE_TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
PREFIX = f"trunkline_bench_{os.getpid()}"
PATIENCE = 120.0  # seconds that anything may take


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def process(*args: str, env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process of ours, ended with the block."""
    child = subprocess.Popen(
        [sys.executable, *args], env=clean_environment(**env), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield child
    finally:
        child.terminate()
        child.wait(30)


def manage(*args: str, env: Mapping[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *args],
        env=clean_environment(**env),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
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

    def rate(self, requests: int) -> float:
        """Receipts a second, from the first to the one after which so many had come."""
        seen = self.wait_for(requests)
        return float(seen["requests"] / max(seen["last"] - seen["first"], 0.001))

    def reset(self) -> None:
        get(f"{self.url}/reset")

    def wait_for(self, requests: int) -> dict[str, Any]:
        """The book once so many requests came; gives up when nothing has come for a while."""
        seen, changed = -1, time.monotonic()
        while time.monotonic() - changed < PATIENCE / 4:
            stats = self.stats()
            if stats["requests"] >= requests:
                return stats
            if stats["requests"] != seen:
                seen, changed = stats["requests"], time.monotonic()
            time.sleep(0.1)
        raise TimeoutError(f"{seen} of {requests} arrived, then no more")


@contextmanager
def sink() -> Iterator[Sink]:
    port = free_port()
    with process("-m", "tests.bench.limit.sink", str(port), env={}):
        wait_for_port(port)
        yield Sink(port)


@contextmanager
def fresh_postgres(name: str, template: str = "template1") -> Iterator[str]:
    """A database of our own, a copy of the template, and its URL; dropped afterwards."""
    database = f"{PREFIX}_{name}"
    with psycopg.connect(POSTGRES, autocommit=True) as admin:
        admin.execute(f"drop database if exists {database} with (force)".encode())
        admin.execute(f"create database {database} template {template} strategy file_copy".encode())
        try:
            yield POSTGRES.rpartition("/")[0] + f"/{database}"
        finally:
            admin.execute(f"drop database if exists {database} with (force)".encode())


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
