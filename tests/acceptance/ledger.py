"""The books: what was accepted, what arrived, and what the API says about it."""

from collections import Counter

from tests.acceptance.project import Project, Row
from tests.acceptance.traffic import Traffic
from tests.acceptance.waiting import PATIENCE, eventually
from tests.receiver import Receiver


def assert_all_delivered(
    project: Project, receiver: Receiver, traffic: Traffic, *, repeats: int, patience: float
) -> None:
    """Everything accepted arrives; nothing else does; at most `repeats` of it more than once; and the API agrees."""
    deliveries = settled(project, patience)
    arrived = Counter(one.headers["webhook-id"] for one in receiver.requests)
    published = set(traffic.accepted.values())
    assert len(published) == len(traffic.accepted), "two keys share an event"
    assert not published - arrived.keys(), "lost"
    assert not arrived.keys() - published, "nobody was told that these were accepted"
    assert arrived.total() - len(published) <= repeats, arrived.most_common(10)
    assert Counter(row["event"] for row in deliveries) == Counter(published)
    assert all(1 <= row["attempts"] <= arrived[row["event"]] for row in deliveries)
    _assert_attempts(project, [row for row in deliveries if arrived[row["event"]] > 1] + deliveries[-20:])
    assert traffic.faults == []
    for answer in traffic.repeat(20):
        assert answer.json["duplicate"] is True
        assert answer.json["id"] in published


def settled(project: Project, patience: float = PATIENCE) -> list[Row]:
    """All deliveries, once all are delivered. Looks at all of them: in two lists by state one can hide from both."""

    def look() -> list[Row]:
        deliveries = project.deliveries()
        return [] if _open(deliveries) else deliveries

    return eventually(look, patience=patience, pause=0.5, why=lambda: _open(project.deliveries())[:5])


def _open(deliveries: list[Row]) -> list[Row]:
    return [row for row in deliveries if row["state"] != "delivered"]


def _assert_attempts(project: Project, deliveries: list[Row]) -> None:
    for row in deliveries:
        attempts = project.attempts(row["id"])
        assert [one["number"] for one in attempts] == list(range(1, row["attempts"] + 1))
        assert [one["outcome"] for one in attempts][-1] == "succeeded"
