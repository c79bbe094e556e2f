"""Health pages and metrics: alive, ready, counted."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from pydantic import SecretStr
from pytest_django import Settings

from apps.deliveries.engine import heartbeat
from apps.deliveries.models import EngineHeartbeat
from apps.kernel.clock import now
from apps.kernel.ids import new_uuid
from tests.integration.cast import Answer, Caller, a_delivery, a_destination, an_event, call

pytestmark = pytest.mark.django_db


@pytest.fixture
def engine(db: None) -> None:
    """One that lives."""
    heartbeat.beat(new_uuid(), sending=3)


def ok_parts(answer: Answer) -> dict[str, bool]:
    return {name: part["ok"] for name, part in answer.body["parts"].items()}


def test_healthz_asks_nobody() -> None:
    with CaptureQueriesContext(connection) as captured:
        answer = call("GET", "/healthz")
    assert (answer.status, answer.body, len(captured)) == (200, {"status": "ok"}, 0)


def test_readyz_with_everything_up(engine: None) -> None:
    answer = call("GET", "/readyz")
    assert (answer.status, answer.body["status"]) == (200, "ok")
    assert ok_parts(answer) == {"database": True, "engine": True, "cache": True}
    assert answer.body["parts"]["database"]["detail"] == connection.vendor
    assert answer.body["parts"]["engine"]["detail"].startswith("1 alive, 3 sending")
    assert answer.headers["cache-control"] == "no-store"


def test_readyz_without_an_engine() -> None:
    answer = call("GET", "/readyz")
    assert (answer.status, answer.body["status"]) == (503, "unavailable")
    assert ok_parts(answer) == {"database": True, "engine": False, "cache": True}
    assert "run_engine" in answer.body["parts"]["engine"]["detail"]


def test_an_engine_that_was_not_heard_of_for_long_counts_as_none(engine: None) -> None:
    EngineHeartbeat.objects.update(seen_at=F("seen_at") - timedelta(seconds=31))
    assert ok_parts(call("GET", "/readyz"))["engine"] is False


def test_readyz_says_how_long_the_oldest_has_waited(engine: None, owner: Caller) -> None:
    a_delivery(an_event(owner.project), a_destination(owner.project), due_at=now() - timedelta(seconds=90))
    assert "oldest due 90 s ago" in call("GET", "/readyz").body["parts"]["engine"]["detail"]


def away(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    raise OperationalError("connection refused\nIs the server running?")


def test_readyz_without_a_database(engine: None) -> None:
    with connection.execute_wrapper(away):
        answer = call("GET", "/readyz")
    assert answer.status == 503
    assert ok_parts(answer) == {"database": False, "engine": False, "cache": True}
    assert answer.body["parts"]["database"]["detail"] == "OperationalError"  # and no host, no port


def test_readyz_without_a_cache(engine: None, settings: Settings) -> None:
    """It is slower without one, but nothing is lost: no reason to be taken out of the balancer."""
    settings.CACHES = {
        "default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:9"}  # nobody there
    }
    answer = call("GET", "/readyz")
    assert ok_parts(answer) == {"database": True, "engine": True, "cache": False}
    assert answer.status == 200


# Metrics


def sample(answer: Answer, name: str) -> float:
    lines = [line for line in answer.content.decode().splitlines() if line.startswith(f"{name} ")]
    return float(lines[0].rpartition(" ")[2]) if lines else 0.0


def test_metrics_count_events(owner: Caller) -> None:
    def counted() -> list[float]:
        answer = call("GET", "/metrics")
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/plain")
        results = ("accepted", "duplicate", "rejected")
        return [sample(answer, f'trunkline_events_total{{result="{result}"}}') for result in results]

    before = counted()
    for data in (1, 1, 2):  # the second is a repeat, the third misuses its key
        owner.post("events", {"type": "a", "data": data}, idempotency_key="k")
    owner.post("events/batch", {"events": [{"type": "a", "data": 1}, {"type": "a"}]})
    after = counted()
    assert [later - earlier for earlier, later in zip(before, after, strict=True)] == [2, 1, 2]


@pytest.mark.parametrize(
    ("authorization", "status"),
    [("", 401), ("Bearer wrong", 401), ("Bearer ", 401), ("hunter2", 401), ("Bearer hunter2", 200)],
)
def test_metrics_with_a_token(settings: Settings, authorization: str, status: int) -> None:
    settings.METRICS_TOKEN = SecretStr("hunter2")
    answer = call("GET", "/metrics", headers={"authorization": authorization})
    assert answer.status == status
    assert (answer.headers["content-type"] == "application/problem+json") == (status == 401)


def test_metrics_hold_no_ids(owner: Caller) -> None:
    """A label that grows with the data would bring the metrics store down."""
    event = an_event(owner.project)
    owner.post("events", {"type": "a", "data": 1})
    content = call("GET", "/metrics").content.decode()
    assert owner.project.public_id not in content
    assert event.public_id not in content
