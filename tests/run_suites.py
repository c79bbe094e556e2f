"""`make test`: every suite, on every database that answers, and one summary line each.

unit and architecture run once; integration, migrations and acceptance run on PostgreSQL (with Redis), on SQLite and on
MariaDB. What does not depend on the database runs on the first of them only (tests/conftest.py). Arguments after `--`
go to pytest: `make test ARGS="--only sqlite -- -k retry"`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from tests import services
from tools.environment import clean_environment

ROOT = Path(__file__).resolve().parent.parent
ONCE = ("unit", "architecture")
PER_DATABASE = ("integration", "migrations", "acceptance")
# Acceptance times whole deliveries, so nothing may run beside it; but for these, which mostly wait for leases to end.
PATIENT = tuple(f"tests/acceptance/test_{name}.py" for name in ("kill", "recovery", "notices", "erasure"))
WORKERS = 2
NO_TESTS = 5  # pytest's exit code when nothing was selected
TARGETS = {
    "unit": "unit, architecture",
    "postgres": "PostgreSQL",
    "sqlite": "SQLite",
    "mariadb": "MariaDB",
}


@dataclass(frozen=True, slots=True)
class Suite:
    """Tests, as many at a time as there are workers, and the environment they run in."""

    title: str
    paths: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    workers: int = WORKERS
    without: tuple[str, ...] = ()
    once: bool = False  # nothing of it depends on the database


@dataclass(frozen=True, slots=True)
class Totals:
    """How many tests passed, failed (errors among them) and were skipped, and the wall time."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
            self.seconds + other.seconds,
        )

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def main(arguments: list[str]) -> int:
    """Run what was asked for; 1 if a test failed, or a service was missing that had to be there."""
    asked = _parser().parse_args(arguments)
    lines: list[str] = []
    totals = Totals()
    once = ""  # whether what does not depend on the database has run
    with tempfile.TemporaryDirectory(prefix="trunkline-tests-") as scratch:
        for target in asked.only or TARGETS:
            with _prepared(target, Path(scratch)) as (suites, missing):
                for suite in suites:
                    if once and suite.once:
                        continue
                    counted = _run(suite, asked.pytest, once)
                    lines.append(f"{suite.title:34} {counted} in {counted.seconds:.1f} s")
                    totals += counted
                once = "done" if suites and target != "unit" else once
            lines += missing
            if os.environ.get("TRUNKLINE_REQUIRE_SERVICES") == "1":
                totals += Totals(failed=len(missing))
    print("", *lines, totals, sep="\n")
    return 1 if totals.failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.run_suites", description=__doc__)
    parser.add_argument("--only", action="append", choices=TARGETS, help="repeatable; all of them by default")
    parser.add_argument("pytest", nargs="*", help="after `--`: arguments for pytest")
    return parser


@contextmanager
def _prepared(target: str, scratch: Path) -> Iterator[tuple[list[Suite], list[str]]]:
    """The suites of a target, and a line for each service that isn't there."""
    environment = {"TRUNKLINE_DATA_DIR": str(scratch / target)}
    missing: list[str] = []
    with ExitStack() as stack:
        if target == "postgres":
            try:
                environment["REDIS_URL"] = stack.enter_context(services.redis_database(services.redis_url()))
            except services.NotReachable as error:
                missing.append(f"Redis: not reachable at {error}, no test ran with it")
        try:
            environment["DATABASE_URL"] = stack.enter_context(_database(target, scratch))
            suites = list(_suites(target, environment))
        except services.NotReachable as error:
            suites = []
            missing.append(f"{TARGETS[target]}: not reachable at {error}, its tests did not run")
        yield suites, missing


def _suites(target: str, environment: dict[str, str]) -> Iterator[Suite]:
    if target == "unit":
        yield Suite(TARGETS[target], _existing(ONCE), environment)
        return
    for folder in _existing(PER_DATABASE):
        title = f"{Path(folder).name} on {TARGETS[target]}"
        if folder == "tests/acceptance":
            yield Suite(title, (folder,), environment, workers=1, without=PATIENT)
            yield Suite(f"{title}, patient", PATIENT, environment, once=True)
        else:
            yield Suite(title, (folder,), environment)


@contextmanager
def _database(target: str, scratch: Path) -> Iterator[str]:
    """A DATABASE_URL no other run has; raises services.NotReachable. Django puts `test_` before its name."""
    if target in {"unit", "sqlite"}:
        yield f"sqlite:///{scratch}/{target}.sqlite3"
        return
    server = services.postgresql() if target == "postgres" else services.mariadb()
    services.reach(server)
    name = f"trunkline_{os.getpid()}"
    try:
        yield f"{server.url}/{name}"
    finally:
        for stem in (name, f"test_{name}"):
            services.drop_databases(server, stem)


def _existing(folders: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"tests/{folder}" for folder in folders if (ROOT / "tests" / folder).is_dir())


def _run(suite: Suite, arguments: list[str], once: str) -> Totals:
    """One pytest process, its output streamed as it comes."""
    print(f"\n=== {suite.title} ===", flush=True)
    how = ["-n", str(suite.workers)] if suite.workers > 1 else []
    how += [f"--ignore={path}" for path in suite.without]
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        started = time.perf_counter()
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report.name}", *how]
        done = subprocess.run(
            [*command, *suite.paths, *arguments],
            cwd=ROOT,
            env=clean_environment(**suite.environment, TRUNKLINE_TEST_ONCE=once),
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return totals_of(Path(report.name), done.returncode, time.perf_counter() - started)


def totals_of(report: Path, exit_code: int, seconds: float) -> Totals:
    """Read pytest's JUnit XML; a run that broke before it could count is one failure."""
    tests, failed, skipped = 0, 0, 0
    if report.stat().st_size:
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            tests += int(suite.get("tests", 0))
            failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped += int(suite.get("skipped", 0))
    passed = max(tests - failed - skipped, 0)
    if exit_code not in {0, NO_TESTS}:
        failed = failed or 1
    return Totals(passed, failed, skipped, seconds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
