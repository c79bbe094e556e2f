"""What the intake tells the outside: one wide log line and one count per event, however it was answered."""

import structlog
from prometheus_client import Counter

from apps.accounts.models import Project
from apps.events.models import Event
from apps.kernel.errors import Problem

log = structlog.get_logger("trunkline.intake")

EVENTS = Counter("trunkline_events", "Events submitted, by how they were answered", ["result"])
BYTES = Counter("trunkline_event_bytes", "Bytes of accepted events' data")
MOST_POINTERS = 10


def tell_accepted(event: Event, *, deliveries: int) -> None:
    """After the commit, never before."""
    EVENTS.labels("accepted").inc()
    BYTES.inc(len(event.data))
    log.info(
        "event.accepted",
        project_id=event.project.public_id,
        event_id=event.public_id,
        event_type=event.type,
        source=event.source or None,
        consumer=event.consumer or None,
        schema_version=event.schema_version,
        bytes=len(event.data),
        deliveries=deliveries,
        trace_id=event.traceparent[3:35] or None,
    )


def tell_duplicate(project: Project, event_id: str) -> None:
    """A repeat of an idempotency key: answered 202, and nothing written."""
    EVENTS.labels("duplicate").inc()
    log.info("event.duplicate", project_id=project.public_id, event_id=event_id)


def tell_rejected(project: Project, problem: Problem) -> None:
    """Where it was wrong, and how; never with the values, which are the producer's own."""
    EVENTS.labels("rejected").inc()
    pointers = [fault.pointer for fault in problem.faults[:MOST_POINTERS]]
    log.info("event.rejected", project_id=project.public_id, code=problem.code, pointers=pointers)
