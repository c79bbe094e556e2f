"""Very many operations: choosing the next one stays cheap, and a project has no more than so many."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import Project
from apps.deliveries.models import ERASURE, Operation, OperationState
from apps.deliveries.operations import advancing, erasure_request
from apps.deliveries.operations.advancing import advance_next
from apps.deliveries.operations.erasure_request import consumer_erase
from apps.deliveries.operations.services import operation_cancel
from apps.destinations.models import Consumer
from apps.destinations.services import consumer_create
from apps.kernel.clock import now
from apps.kernel.errors import Conflict
from tests.integration.cast import ACTOR, a_project

pytestmark = pytest.mark.django_db(transaction=True)


def crowd(project: Project, count: int) -> None:
    """So many erasures that run, and as many that ended."""
    about = {"project": project, "kind": ERASURE}
    ended = {"state": OperationState.COMPLETED, "finished_at": now()}
    Operation.objects.bulk_create(Operation(**about, **fields) for fields in ({}, ended) for _ in range(count))


def steps() -> int:
    """What SQLite's machine does to choose the next one, in hundreds of instructions."""
    counted: list[int] = []
    connection.ensure_connection()
    connection.connection.set_progress_handler(lambda: counted.append(1), 100)
    assert advancing._in_turn()
    connection.connection.set_progress_handler(None, 0)
    return len(counted)


@pytest.mark.database("sqlite")
def test_twice_as_many_erasures_are_twice_the_work_and_no_more(project: Project) -> None:
    crowd(project, 300)
    few = steps()
    crowd(project, 300)
    assert few < steps() < 3 * few


def test_where_nothing_runs_it_is_one_query(project: Project) -> None:
    crowd(project, 2)
    Operation.objects.update(state=OperationState.PAUSED)
    with CaptureQueriesContext(connection) as captured:
        assert advance_next() is None
    assert len(captured) == 1


def test_a_project_has_so_many_erasures_under_way(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for again, one that is open is the same still; and neither another project nor its mark is in the way."""
    monkeypatch.setattr(erasure_request, "MOST_ERASURES", 1)
    one, two = (consumer_create(project=project, key=key, actor=ACTOR) for key in ("acme", "globex"))
    first = consumer_erase(consumer=one, actor=ACTOR)
    with pytest.raises(Conflict, match="1 erasures under way") as refused:
        consumer_erase(consumer=two, actor=ACTOR)
    assert refused.value.code == "too_many_operations"
    assert not Consumer.objects.get(pk=two.pk).being_erased
    assert consumer_erase(consumer=one, actor=ACTOR) == first
    consumer_erase(consumer=consumer_create(project=a_project(), key="acme", actor=ACTOR), actor=ACTOR)
    operation_cancel(operation=first, actor=ACTOR)
    consumer_erase(consumer=two, actor=ACTOR)
