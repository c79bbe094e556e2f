"""Operations whose chunks fail: each is tried again later, and holds up no other."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DataError, InterfaceError, OperationalError

from apps.audit.models import AuditEntry
from apps.deliveries.models import Operation
from apps.deliveries.operations import advancing
from apps.deliveries.operations.advancing import advance, advance_next
from apps.deliveries.operations.services import (
    operation_pause,
    operation_resume,
)
from apps.destinations.models import Destination
from apps.kernel.clock import now
from tests.integration.cast import ACTOR
from tests.integration.deliveries.engine_room import watched_lines
from tests.integration.deliveries.operating import asked, done, recovering_by, some

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("small_chunks")]


def test_an_error_that_stays_ends_it(destination: Destination, monkeypatch: pytest.MonkeyPatch) -> None:
    some(destination, 3)
    operation, other = asked(destination.project), asked(destination.project, "discard")

    def broken(rows: Any, **_: Any) -> int:
        raise DataError("value 'secret' is out of range")

    with monkeypatch.context() as patch, watched_lines() as lines:
        patch.setattr(advancing, "KINDS", recovering_by(broken))
        for failures in range(1, 5):
            assert done(operation).error.startswith(f"DataError, {failures} times in a row: see the log; next try at")
            assert (operation.state, operation.failures) == ("running", failures)
            assert operation.due_at is not None
            assert operation.due_at > now()
            Operation.objects.filter(pk=operation.pk).update(due_at=now())
        done(operation)
    assert (operation.state, operation.due_at) == ("failed", None)
    assert operation.error == "DataError, 5 times in a row: see the log, mend it, and ask again"
    [line] = lines.of("operation.failed")
    assert [line["failures"] for line in lines.of("operation.retrying")] == [1, 2, 3, 4]
    assert line["operation_id"] == operation.public_id
    assert AuditEntry.objects.filter(target=operation.public_id, action="operation.failed").count() == 1
    assert done(other).changed == 3, "and it is in nobody's way"


@pytest.mark.parametrize("error", [OperationalError("statement timeout"), InterfaceError("gone")], ids=["slow", "away"])
def test_the_database_delays_it_and_holds_up_no_other(
    destination: Destination, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """However often: it is nobody's fault, and its turn comes again and again, at last every ten minutes."""
    some(destination, 3)
    operation, other = asked(destination.project), asked(destination.project, "discard", error="timeout")

    def away(rows: Any, **_: Any) -> int:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(advancing, "KINDS", recovering_by(away))
        for failures in range(1, 8):
            advance(operation.pk)
            operation.refresh_from_db()
            assert (operation.state, operation.failures) == ("running", failures)
            Operation.objects.filter(pk=operation.pk).update(due_at=now())
        while advance_next():
            pass
    other.refresh_from_db()
    assert other.state == "completed"
    Operation.objects.filter(pk=operation.pk).update(due_at=now())
    assert (done(operation).changed, operation.failures, operation.error) == (3, 0, "")


def test_paused_and_resumed_it_is_tried_at_once(destination: Destination, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever mended what was wrong need not wait for the next try."""
    some(destination, 3)
    operation = asked(destination.project)
    Operation.objects.filter(pk=operation.pk).update(due_at=now() + timedelta(hours=1))
    assert advance(operation.pk) is None
    operation_pause(operation=operation, actor=ACTOR)
    operation_resume(operation=operation, actor=ACTOR)
    assert done(operation).changed == 3
