"""The plumbing all suites share: which database, query counts. No fixtures of the domain."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from math import inf
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from apps.kernel import database_clock
from tests.query_counts import counting

# What these show does not depend on the database: where several are at hand, one run of them is enough.
ANY_DATABASE = (
    *("acceptance/test_bench.py", "acceptance/test_demo.py", "acceptance/test_hostile_", "acceptance/test_planted_"),
    *("acceptance/test_cloudevents.py", "acceptance/test_parity.py", "acceptance/test_real_input.py"),
    *("acceptance/test_retries.py", "acceptance/test_routing.py"),
    *(f"integration/destinations/{kind}/" for kind in ("chat", "egress", "email", "webhook")),
    *("integration/chaos/", "integration/ops/", "integration/audit/", "integration/config/"),
    "integration/deliveries/test_transforming.py",
    # Chaos plays kills on all three, too.
    *("acceptance/test_kill.py", "acceptance/test_recovery.py", "acceptance/test_notices.py"),
    *("acceptance/test_shutdown.py", "acceptance/test_erasure.py"),
    *("acceptance/test_first_minutes.py", "acceptance/test_quotas.py", "acceptance/test_profile.py"),
)
PAGES = "_admin"  # in a file's name: the admin's pages, which read through Django alone
TESTS = Path(__file__).parent
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines are shared
settings.load_profile("ours")
database_clock.next_at = inf  # tests travel in time by the machine's clock


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`@pytest.mark.database("postgresql")`: this test says something about that database only."""
    from django.db import connection

    if os.environ.get("TRUNKLINE_TEST_ONCE") == "done":
        done = [item for item in items if _is_of_any(item.path)]
        config.hook.pytest_deselected(items=done)
        items[:] = [item for item in items if item not in set(done)]
    for item in items:
        marker = item.get_closest_marker("database")
        if marker and connection.vendor not in marker.args:
            item.add_marker(pytest.mark.skip(reason=f"for {', '.join(marker.args)} only"))


def _is_of_any(path: Path) -> bool:
    return PAGES in path.stem or str(path.relative_to(TESTS)).startswith(ANY_DATABASE)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """SQLite tests use a file: threads and processes meet in it as they do in production."""
    from django.db import connections

    for connection in connections.all():
        if connection.vendor == "sqlite":
            name = tmp_path_factory.mktemp("database") / f"{connection.alias}.sqlite3"
            connection.settings_dict["TEST"]["NAME"] = str(name)


@pytest.fixture
def count_queries() -> Callable[[str], AbstractContextManager[None]]:
    """`with count_queries("deliveries.list"): …` fails when the number of queries isn't the recorded one."""
    return counting
