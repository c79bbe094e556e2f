"""What the intake tells the outside: one wide log line and one count per event."""

import structlog
from prometheus_client import Counter

from apps.events.models import Event

log = structlog.get_logger("trunkline.intake")

EVENTS = Counter("trunkline_events", "Events submitted, by how they were answered", ["result"])
BYTES = Counter("trunkline_event_bytes", "Bytes of accepted events' data")


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
        trace=event.traceparent[3:35] or None,
    )


def tell_refused(result: str, *, count: int = 1) -> None:
    """Duplicates and rejections."""
    EVENTS.labels(result).inc(count)
