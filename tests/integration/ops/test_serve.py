"""`manage.py serve`: one command, one group of processes, and nothing left of it afterwards."""

import json
import os
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from django.conf import settings

from tests.integration.cast import a_destination, a_project, caller
from tests.integration.programs import PATIENCE, manage
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


class Served:
    """A running `serve`, followed by its log."""

    def __init__(self, process: Popen[str], port: int) -> None:
        self.process, self.address = process, f"http://127.0.0.1:{port}"
        self._told: list[dict[str, Any]] = []  # lines that came and nobody has waited for yet

    def wait_for(self, event: str) -> dict[str, Any]:
        """The first line of that event that was not yet waited for."""
        assert self.process.stdout is not None
        while not (found := [line for line in self._told if line["event"] == event]):
            line = self.process.stdout.readline()
            assert line, f"it ended without {event}: {self._told}"
            if line.startswith("{"):
                self._told.append(json.loads(line))
        self._told.remove(found[0])
        return found[0]

    def status(self, path: str) -> int:
        with urllib.request.urlopen(f"{self.address}{path}", timeout=PATIENCE) as response:
            status: int = response.status
            return status

    def children(self) -> list[int]:
        return [pid for pid, parent, _ in processes() if parent == self.process.pid]

    def left_over(self) -> list[int]:
        """Processes of its session: all that it ever started, and theirs."""
        return [pid for pid, _, session in processes() if session == self.process.pid]

    def ended(self) -> tuple[int, str]:
        """Exit code and the rest of its output; waits until nobody holds the pipe any more, so all have ended."""
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out + err


def processes() -> Iterator[tuple[int, int, int]]:
    """Pid, parent and session of every process that lives."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if fields[0] != "Z":
            yield int(path.parent.name), int(fields[1]), int(fields[3])


@contextmanager
def serving(*arguments: str, **environment: str) -> Iterator[Served]:
    """Once the port is open."""
    port = free_port()
    with manage("serve", "--port", str(port), *arguments, **environment) as process:
        served = Served(process, port)
        try:
            served.wait_for("server.started")
            yield served
        finally:
            for pid in served.left_over():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def test_it_serves_delivers_and_ends_when_told() -> None:
    project = a_project()
    with Receiver() as receiver, serving() as served:
        assert served.status("/healthz") == 200
        a_destination(project, receiver.url("/hook"))
        key = caller(project).key
        request = urllib.request.Request(
            f"{served.address}/api/v1/events",
            b'{"type": "invoice.paid", "data": {}}',
            {"authorization": f"Bearer {key}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            event = json.load(answer)["id"]
        [delivered] = receiver.wait_for(1)
        assert delivered.headers["webhook-id"] == event
        assert len(served.children()) == 2 + settings.INTAKE_PROCESSES
        served.process.terminate()
        code, _ = served.ended()
        assert code == 0
        assert served.left_over() == []


def test_without_an_engine_there_is_only_the_web() -> None:
    with serving("--no-engine") as served:
        assert len(served.children()) == 1 + settings.INTAKE_PROCESSES
        served.process.send_signal(signal.SIGINT)
        assert served.ended()[0] == 0


def test_children_that_are_killed_come_back() -> None:
    with serving() as served:
        served.wait_for("engine.started")
        before = served.children()
        assert len(before) == 2 + settings.INTAKE_PROCESSES
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        died = {served.wait_for("process.died")["process"] for _ in before}
        assert {name.partition("-")[0] for name in died} == {"control", "intake", "engine"}
        for event in ("server.started", "engine.started"):
            served.wait_for(event)
        assert served.status("/healthz") == 200
        assert not set(before) & set(served.children())
        served.process.terminate()
        assert served.ended()[0] == 0


def test_when_the_parent_is_killed_nobody_stays_behind() -> None:
    with serving() as served:
        served.wait_for("engine.started")
        served.process.kill()
        served.ended()  # the pipe is closed: the children have ended, or are about to
        deadline = time.monotonic() + PATIENCE
        while served.left_over() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert served.left_over() == []


def test_a_port_that_is_taken_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with manage("serve", "--port", str(port)) as process:
            out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert out == ""
    assert err.count("\n") == 1
    assert f"127.0.0.1:{port}" in err
    assert "--port" in err


@pytest.mark.database("sqlite")
def test_setup_on_an_empty_machine(tmp_path: Path) -> None:
    """`make run` for the first time: an empty data directory becomes a running installation that says how to use it."""
    port = free_port()
    environment = {"DATABASE_URL": "", "TRUNKLINE_DATA_DIR": str(tmp_path / "var")}
    with manage("serve", "--setup", "--port", str(port), **environment) as process:
        served = Served(process, port)
        served.wait_for("server.started")
        assert process.stdout is not None
        greeting = "".join(takewhile(lambda line: "Ctrl-C" not in line, iter(process.stdout.readline, "")))
        assert "admin@localhost / " in greeting
        assert "Bearer tl_" in greeting
        assert served.status("/healthz") == 200
        process.terminate()
        assert served.ended()[0] == 0
    kept = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "var").iterdir()}
    assert kept["secret.key"] == kept["encryption.key"] == 0o600
