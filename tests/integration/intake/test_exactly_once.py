"""Exactly once per idempotency key, whatever happens at the same moment; and all of an event or nothing of it."""

from typing import Any

import pytest
from django.db import IntegrityError
from django.db.models import Model

from apps.accounts.models import Project
from apps.deliveries.models import Delivery
from apps.events.models import Event, IdempotencyKey
from apps.intake.services import Accepted, Result, events_accept
from apps.intake.submission import Submission
from apps.kernel import bulk
from apps.kernel.errors import Invalid
from tests.integration.cast import Caller, a_destination, a_project, caller
from tests.integration.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 8


@pytest.fixture
def project() -> Project:
    project = a_project()
    a_destination(project)
    return project


def submission(key: str, data: bytes = b"1") -> Submission:
    return Submission(type="invoice.paid", data=data, idempotency=("key", key))


def accept(project: Project, *submissions: Submission) -> list[Result]:
    # The project as a request would read it: with the catalog's version of this moment.
    return events_accept(project=Project.objects.get(pk=project.pk), submissions=submissions)


def counts() -> tuple[int, int, int]:
    return Event.objects.count(), Delivery.objects.count(), IdempotencyKey.objects.count()


def test_the_same_at_the_same_moment(project: Project) -> None:
    for turn in range(5):
        outcomes = at_once([lambda turn=turn: accept(project, submission(f"k{turn}"))] * AT_ONCE)  # type: ignore[misc]
        results = [result for outcome in outcomes if isinstance(outcome, list) for result in outcome]
        assert len(results) == AT_ONCE, outcomes
        assert all(isinstance(result, Accepted) for result in results)
        assert len({result.public_id for result in results if isinstance(result, Accepted)}) == 1
        assert [isinstance(result, Accepted) and result.duplicate for result in results].count(False) == 1
        assert counts() == (turn + 1, turn + 1, turn + 1)


def test_another_body_under_the_same_key_at_the_same_moment(project: Project) -> None:
    outcomes = at_once([
        lambda number=number: accept(project, submission("k", b"%d" % number)) for number in range(AT_ONCE)  # type: ignore[misc]
    ])  # fmt: skip
    results = [result for outcome in outcomes if isinstance(outcome, list) for result in outcome]
    assert len(results) == AT_ONCE, outcomes
    [winner] = [result for result in results if isinstance(result, Accepted)]
    assert {type(result) for result in results if result is not winner} == {Invalid}
    assert counts() == (1, 1, 1)
    assert Event.objects.get().pk == winner.event_id


def test_batches_that_share_keys_in_any_order(project: Project) -> None:
    """Two sets that wait for one another's keys must not stand there for ever."""
    keys = [f"k{number}" for number in range(20)]
    orders = [keys, keys[::-1], keys[10:] + keys[:10], keys[::2] + keys[1::2]]
    outcomes = at_once([
        lambda order=order: accept(project, *map(submission, order)) for order in orders  # type: ignore[misc]
    ])  # fmt: skip
    ids: dict[str, set[str]] = {key: set() for key in keys}
    for order, outcome in zip(orders, outcomes, strict=True):
        assert isinstance(outcome, list), outcome
        for key, result in zip(order, outcome, strict=True):
            assert isinstance(result, Accepted)
            ids[key].add(result.public_id)
    assert {len(found) for found in ids.values()} == {1}
    assert counts() == (20, 20, 20)


def test_keys_are_a_projects_own(project: Project) -> None:
    other = a_project()
    [mine], [theirs] = accept(project, submission("k")), accept(other, submission("k", b"2"))
    assert isinstance(mine, Accepted)
    assert isinstance(theirs, Accepted)
    assert mine.event_id != theirs.event_id


def test_keys_are_compared_exactly(project: Project) -> None:
    """As everywhere: a collation that knows no case would make one of these two."""
    for key in ("Key", "key", "key ", "k\u00e9y", "ke\u0301y"):  # the last two look the same
        [result] = accept(project, submission(key, key.encode().hex().encode()))
        assert isinstance(result, Accepted)
        assert not result.duplicate
    assert counts()[0] == 5


# Over REST: the header, the field, and one after the other


@pytest.fixture
def owner(project: Project) -> Caller:
    return caller(project)


def test_a_repeat_answers_as_the_first_time(owner: Caller) -> None:
    body = {"type": "invoice.paid", "data": {"a": 1}}
    first = owner.post("events", body, idempotency_key="k")
    again = owner.post("events", body, idempotency_key='"k"')  # quoted as the draft has it, or bare
    by_field = owner.post("events", {**body, "idempotency_key": "k"})
    assert [answer.status for answer in (first, again, by_field)] == [202, 202, 202]
    assert first.body["duplicate"] is False
    assert again.body == by_field.body == {"id": first.body["id"], "duplicate": True}
    assert counts() == (1, 1, 1)


def test_another_body_is_refused(owner: Caller) -> None:
    owner.post("events", {"type": "invoice.paid", "data": {"a": 1}}, idempotency_key="k")
    refused = owner.post("events", {"type": "invoice.paid", "data": {"a": 2}}, idempotency_key="k")
    assert (refused.status, refused.body["code"]) == (422, "idempotency_key_reused")
    assert refused.faults == [("/idempotency_key", "idempotency_key_reused")]
    assert counts() == (1, 1, 1)


# All or nothing


@pytest.mark.parametrize("model", [Event, Delivery])
def test_event_and_deliveries_are_one_transaction(
    project: Project, model: type[Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    inserted = bulk.insert

    def failing(into: type[Model], columns: Any, rows: Any) -> None:
        inserted(into, columns, rows)
        if into is model:
            raise IntegrityError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(bulk, "insert", failing)
        with pytest.raises(IntegrityError):
            accept(project, submission("k"))
    assert counts() == (0, 0, 0)
    [result] = accept(project, submission("k"))  # the producer's retry is as good as new
    assert isinstance(result, Accepted)
    assert not result.duplicate
    assert counts() == (1, 1, 1)
