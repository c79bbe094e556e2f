"""The query-count baseline catches one query more, and one less."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from django.contrib.contenttypes.models import ContentType

from tests import query_counts

type CountQueries = Callable[[str], AbstractContextManager[None]]


@pytest.fixture
def baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "query_counts.json"
    path.write_text('{"types": 2}')
    monkeypatch.setattr(query_counts, "BASELINE", path)
    monkeypatch.delenv("UPDATE_QUERY_COUNTS", raising=False)
    return path


def _queries(number: int) -> None:
    for _ in range(number):
        ContentType.objects.exists()


@pytest.mark.django_db
def test_the_recorded_number_passes(baseline: Path, count_queries: CountQueries) -> None:
    with count_queries("types"):
        _queries(2)


@pytest.mark.django_db
@pytest.mark.parametrize("number", [1, 3])
def test_another_number_fails(number: int, baseline: Path, count_queries: CountQueries) -> None:
    with pytest.raises(pytest.fail.Exception, match=f"types: {number} queries"), count_queries("types"):
        _queries(number)


@pytest.mark.django_db
def test_what_has_no_number_fails(baseline: Path, count_queries: CountQueries) -> None:
    with pytest.raises(pytest.fail.Exception, match="UPDATE_QUERY_COUNTS=1"), count_queries("new"):
        _queries(1)


@pytest.mark.django_db
def test_updating_keeps_the_others(
    baseline: Path, count_queries: CountQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPDATE_QUERY_COUNTS", "1")
    with count_queries("new"):
        _queries(3)
    assert json.loads(baseline.read_text()) == {"new": 3, "types": 2}
