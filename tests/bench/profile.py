"""`make profile`: flame graphs of taking events in and of sending them out, under load, into var/profile.

For each path an SVG to click through, and a text with the functions that the time was spent in themselves. Runs on
PostgreSQL where it answers and on SQLite otherwise; ARGS="--only drain --seconds 10" narrows it.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psycopg

from tests.bench.rig import (
    PATIENCE,
    POSTGRES,
    Sink,
    free_port,
    fresh_postgres,
    get,
    load,
    manage,
    process,
    sink,
    wait_for_port,
)

RATE = 100  # samples a second
DRAINED = 8_000  # events a second that an engine may send at most while it is looked at
TOP = 20
LINE = re.compile(r":\d+\)$")  # a function is one row, whichever of its lines


class Profiled:
    """Trunkline with one destination that wants everything, its two processes started apart."""

    def __init__(self, database_url: str, data_dir: str, receiver: Sink) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/api/v1/events"
        self.env: Mapping[str, str] = {
            "DATABASE_URL": database_url,
            "TRUNKLINE_DATA_DIR": data_dir,
            "TRUNKLINE_ALLOWED_NETWORKS": "127.0.0.0/8",
            "LOG_FORMAT": "json",
        }
        manage("migrate", "--verbosity", "0", env=self.env)
        key = json.loads(manage("create_project", "profile", "--json", env=self.env))["api_key"]
        self.headers = [f"authorization: Bearer {key}"]
        with self.edge():
            self._subscribe(key, f"{receiver.url}/hook")

    @contextmanager
    def edge(self) -> Iterator[int]:
        """The web processes; gives the first one's id."""
        with process("manage.py", "serve", "--no-engine", "--port", str(self.port), env=self.env) as child:
            wait_for_port(self.port)
            self._wait_until_healthy()
            yield child.pid

    @contextmanager
    def engine(self) -> Iterator[int]:
        with process("manage.py", "run_engine", "--grace", "1", env=self.env) as child:
            yield child.pid

    def _wait_until_healthy(self) -> None:
        """The port answers before the processes behind it do."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with suppress(OSError):
                get(f"http://127.0.0.1:{self.port}/healthz")
                return
            time.sleep(0.05)
        raise TimeoutError("Trunkline does not answer")

    def _subscribe(self, key: str, url: str) -> None:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        body = json.dumps({"url": url, "event_types": ["*"]}).encode()
        address = f"http://127.0.0.1:{self.port}/api/v1/destinations"
        urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=10).close()


def ingest(system: Profiled, receiver: Sink, into: Path, options: argparse.Namespace) -> None:
    """Single events over 64 connections while the web processes are looked at."""
    done = threading.Event()

    def publish() -> None:
        while not done.is_set():
            load(system.url, system.headers, connections=64, count=1_000)

    with system.edge() as pid:
        load(system.url, system.headers, connections=64, count=200)
        publisher = threading.Thread(target=publish)
        publisher.start()
        try:
            record(pid, into, options)
        finally:
            done.set()
            publisher.join()


def drain(system: Profiled, receiver: Sink, into: Path, options: argparse.Namespace) -> None:
    """A backlog is sent while the engine is looked at, with nothing coming in."""
    with system.edge():
        count = int(DRAINED * (2 * options.seconds + 1))
        load(f"{system.url}/batch", system.headers, connections=8, count=count, batch=100)
    with system.engine() as pid:
        receiver.wait_for(1)
        record(pid, into, options)


PATHS = {"ingest": ingest, "drain": drain}


def record(pid: int, into: Path, options: argparse.Namespace) -> None:
    """Look at a process and its children twice, one look for each form."""
    raw = into.with_suffix(".raw")
    _spy(pid, into.with_suffix(".svg"), "flamegraph", options)
    _spy(pid, raw, "raw", options)
    into.with_suffix(".txt").write_text(as_text(top(raw.read_text(encoding="utf-8"))), encoding="utf-8")
    raw.unlink()


def _spy(pid: int, output: Path, form: str, options: argparse.Namespace) -> None:
    command = ["py-spy", "record", "--pid", str(pid), "--subprocesses", "--rate", str(RATE), "--format", form]
    command += ["--duration", str(options.seconds), "--output", str(output), *(["--native"] if options.native else [])]
    command[0] = str(Path(sys.executable).with_name("py-spy"))
    spied = subprocess.run(command, capture_output=True, text=True, check=False)
    if spied.returncode or not output.exists():
        raise SystemExit(f"py-spy could not look at process {pid}:\n{spied.stderr.strip()}")


def top(raw: str, most: int = TOP) -> list[tuple[str, float]]:
    """Functions by the share of the time that passed in themselves, from stacks in the form `a;b;c 12`."""
    own: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        own[LINE.sub(")", stack.rpartition(";")[2])] += int(count)
    total = own.total()
    return [(name, count / total) for name, count in own.most_common(most)]


def as_text(shares: list[tuple[str, float]]) -> str:
    return "".join(f"{share:6.1%}  {name}\n" for name, share in shares)


def main() -> int:
    options = _options()
    options.into.mkdir(parents=True, exist_ok=True)
    for name in options.only or PATHS:
        with _system(sqlite=options.sqlite) as (system, receiver):
            PATHS[name](system, receiver, options.into / name, options)
        print(f"{name}: {options.into / name}.svg\n{(options.into / name).with_suffix('.txt').read_text()}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make profile", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=list(PATHS), help="this path; may be repeated")
    parser.add_argument("--seconds", type=int, default=10, help="how long to look, for each of the two forms")
    parser.add_argument("--sqlite", action="store_true", help="on SQLite even where PostgreSQL answers")
    parser.add_argument("--native", action="store_true", help="with the frames of C and Rust; slower")
    parser.add_argument("--into", type=Path, default=Path("var/profile"), help="the directory to write to")
    return parser.parse_args()


@contextmanager
def _system(*, sqlite: bool) -> Iterator[tuple[Profiled, Sink]]:
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="trunkline-profile-"))
        url = f"sqlite:///{directory}/profile.sqlite3"
        if not sqlite and _postgres_answers():
            url = stack.enter_context(fresh_postgres("profile"))
        receiver = stack.enter_context(sink())
        yield Profiled(url, directory, receiver), receiver


def _postgres_answers() -> bool:
    try:
        psycopg.connect(POSTGRES, connect_timeout=3).close()
    except psycopg.OperationalError as error:
        print(f"PostgreSQL does not answer ({error}), so this is SQLite", file=sys.stderr)
        return False
    return True


if __name__ == "__main__":
    raise SystemExit(main())
