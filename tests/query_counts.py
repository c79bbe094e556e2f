"""A committed baseline of how many queries a thing may cost, so that an N+1 is seen in review.

`UPDATE_QUERY_COUNTS=1 make test` writes what was counted into tests/architecture/query_counts.json.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

BASELINE = Path(__file__).parent / "architecture" / "query_counts.json"


@contextmanager
def counting(name: str) -> Iterator[None]:
    """Counts the queries of the block and holds them against the baseline under `name`."""
    with CaptureQueriesContext(connection) as seen:
        yield
    captured = [query for query in seen if "pg_notify" not in query["sql"]]  # PostgreSQL's alone, and one is enough
    assert len(seen) - len(captured) <= 1
    if os.environ.get("UPDATE_QUERY_COUNTS") == "1":
        _record(name, len(captured))
        return
    expected = json.loads(BASELINE.read_text()).get(name)
    if len(captured) != expected:
        queries = "\n".join(f"  {number}. {query['sql'][:200]}" for number, query in enumerate(captured, 1))
        pytest.fail(
            f"{name}: {len(captured)} queries, the baseline says {expected}. If that is meant, run "
            f"UPDATE_QUERY_COUNTS=1 make test and commit {BASELINE.name}.\n{queries}"
        )


def _record(name: str, count: int) -> None:
    """Workers of one run share the file."""
    with BASELINE.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        counts = {**json.load(file), name: count}
        file.seek(0)
        file.truncate()
        file.write(json.dumps(counts, indent=2, sort_keys=True) + "\n")
