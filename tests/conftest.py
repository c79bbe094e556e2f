"""The plumbing all suites share: which database, query counts. No fixtures of the domain."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.query_counts import counting


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`@pytest.mark.database("postgresql")`: this test says something about that database only."""
    from django.db import connection

    for item in items:
        marker = item.get_closest_marker("database")
        if marker and connection.vendor not in marker.args:
            item.add_marker(pytest.mark.skip(reason=f"for {', '.join(marker.args)} only"))


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
