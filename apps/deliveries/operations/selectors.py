"""Reads of operations."""

from django.db.models import QuerySet

from apps.accounts.models import Project
from apps.deliveries.models import Operation, OperationState
from apps.kernel.walks import led_by

MOST_COUNTED = 1_000


def operations(project: Project) -> QuerySet[Operation]:
    return led_by(Operation.objects.all(), "project_id", project.pk)


def operations_running() -> int:
    """Those the engines have yet to bring to an end; counted to 1,000 only."""
    return Operation.objects.filter(state=OperationState.RUNNING)[:MOST_COUNTED].count()


def progress(operation: Operation) -> int | None:
    """In percent; None where nobody counted how much there is to look at."""
    if operation.state == OperationState.COMPLETED:
        return 100
    if not operation.total:
        return None
    return min(99, operation.processed * 100 // operation.total)
