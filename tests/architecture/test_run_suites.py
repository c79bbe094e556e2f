"""The runner counts what pytest did, and says which service it missed."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests import services
from tests.architecture.tree import ROOT
from tests.run_suites import Totals, totals_of
from tools.environment import clean_environment

REPORT = """<testsuites><testsuite tests="9" failures="2" errors="1" skipped="3"/></testsuites>"""
SERVERS: tuple[services.DatabaseServer, ...] = (services.postgresql(), services.mariadb())
DEAD = "127.0.0.1:1"  # tcpmux: nobody listens there


def _report(folder: Path, text: str) -> Path:
    path = folder / "report.xml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("report", "exit_code", "expected"),
    [
        (REPORT, 1, Totals(3, 3, 3)),
        ("", 2, Totals(0, 1, 0)),  # it broke before it could write
        ('<testsuite tests="0"/>', 5, Totals()),  # nothing was selected
        ('<testsuite tests="4"/>', 3, Totals(4, 1, 0)),  # pytest itself failed
    ],
)
def test_totals(report: str, exit_code: int, expected: Totals, tmp_path: Path) -> None:
    assert totals_of(_report(tmp_path, report), exit_code, 0.0) == expected


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.run_suites", *arguments],
        cwd=ROOT,
        env={**clean_environment(), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_missing_service_is_named() -> None:
    answer = _run("--only", "postgres", TRUNKLINE_TEST_POSTGRES_URL=f"postgres://someone:secret@{DEAD}")
    assert f"PostgreSQL: not reachable at {DEAD}" in answer.stdout
    assert "secret" not in answer.stdout
    assert answer.stdout.endswith("\n0 passed, 0 failed, 0 skipped\n")
    assert answer.returncode == 0


def test_a_missing_service_fails_where_it_has_to_be_there() -> None:
    dead = f"mysql://someone@{DEAD}"
    answer = _run("--only", "mariadb", TRUNKLINE_TEST_MARIADB_URL=dead, TRUNKLINE_REQUIRE_SERVICES="1")
    assert f"MariaDB: not reachable at {DEAD}" in answer.stdout
    assert answer.stdout.endswith("\n0 passed, 1 failed, 0 skipped\n")
    assert answer.returncode == 1


def test_arguments_reach_pytest() -> None:
    assert f"pytest {version('pytest')}" in _run("--only", "unit", "--", "--version").stdout


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.title)
def test_databases_a_killed_run_left_are_dropped(server: services.DatabaseServer) -> None:
    try:
        services.reach(server)
    except services.NotReachable as error:
        pytest.skip(str(error))
    run, other = f"trunkline_{os.getpid()}", f"trunkline_{os.getpid()}0"
    for name in (run, f"{run}_gw0", other):
        services.create_database(server, name)
    services.drop_databases(server, run)
    services.execute(server, f"DROP DATABASE {other}")  # raises had it gone too
    services.create_database(server, f"{run}_gw0")  # raises had it stayed
    services.drop_databases(server, run)


def test_two_runs_never_share_a_redis_database() -> None:
    try:
        with (
            services.redis_database(services.redis_url()) as first,
            services.redis_database(services.redis_url()) as second,
        ):
            assert first != second
    except services.NotReachable as error:
        pytest.skip(str(error))
