"""What the engine tells the outside: one wide log line and one count per attempt. Labels hold no ids and no URLs."""

from collections import Counter as tally
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge, Histogram

from apps.deliveries.engine.attempt import Attempted
from apps.deliveries.engine.parcel import Obstacle
from apps.deliveries.states import Edge
from apps.kernel import wide
from apps.kernel.histograms import SetHistogram
from apps.kernel.ids import encode

log = structlog.get_logger("trunkline.deliveries")

ATTEMPTS = Counter("trunkline_attempts", "Attempts made, by the edge they led to", ["kind", "outcome"])
DURATION = SetHistogram(
    Histogram(
        "trunkline_attempt_duration_seconds",
        "How long attempts took",
        ["kind"],
        buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 15, 30),
    )
)
LOST = Counter("trunkline_attempts_lost", "Attempts whose lease ran out before they were written")
RESCUED = Counter("trunkline_deliveries_rescued", "Deliveries taken back from a crashed engine")
FANNED_OUT = Counter("trunkline_deliveries_fanned_out", "Deliveries made by engines, of events that very many want")
PRUNED = Counter("trunkline_events_pruned", "Events deleted because they were beyond their project's retention")
PAYLOADS_ERASED = Counter("trunkline_payloads_erased", "Events whose data was erased because it was too old")
OPERATED = Counter("trunkline_operation_changes", "Rows that operations made, changed or erased", ["kind"])
OPERATIONS = Gauge("trunkline_operations_running", "Operations that have yet to end", multiprocess_mode="livemax")
BREAKERS_OPENED = Counter("trunkline_breakers_opened", "How often circuit breakers of destinations opened")
BREAKERS_OPEN = Gauge(
    "trunkline_breakers_open", "Destinations whose circuit breaker is not closed", multiprocess_mode="livemax"
)
FAN_OUTS = Gauge(
    "trunkline_fan_outs_waiting", "Events whose deliveries engines have yet to make", multiprocess_mode="livemax"
)
OLDEST_DUE = Gauge(
    "trunkline_oldest_due_seconds", "How long the delivery due longest has waited", multiprocess_mode="livemax"
)
SENDING = Gauge("trunkline_deliveries_sending", "Deliveries in flight", multiprocess_mode="livesum")


def tell(attempts: Sequence[Attempted], written: Sequence[bool]) -> None:
    """Log and count attempts after their transaction; those not `written` lost their lease."""
    made: list[Attempted] = []
    for one, is_written in zip(attempts, written, strict=True):
        if not is_written:
            LOST.inc()
            log.warning("delivery.attempt_lost", **_fields(one))
        elif one.decision.edge is Edge.CANCELLED:  # its destination is deleted: nothing was tried
            log.info("delivery.cancelled", **_fields(one))
        elif one.decision.edge is Edge.INTERRUPTED:
            log.warning("delivery.given_back", **_fields(one))
        else:
            made.append(one)
    _count(made)
    wide.tell(log, "delivery.attempted", [_fields(one) for one in made])


def _count(made: Sequence[Attempted]) -> None:
    """Once for a set: each increment takes a lock and writes to a file that other processes read."""
    for (kind, edge), count in tally((one.parcel.kind, one.decision.edge) for one in made).items():
        ATTEMPTS.labels(kind, edge).inc(count)
    for kind in {one.parcel.kind for one in made}:
        DURATION.observe(kind, values=(one.outcome.duration_ms / 1000 for one in made if one.parcel.kind == kind))


def _fields(one: Attempted) -> dict[str, Any]:
    parcel, outcome, target = one.parcel, one.outcome, one.parcel.target
    return {
        "project_id": _project(parcel.project_id),
        "event_id": parcel.message.id,
        "event_type": parcel.event_type,
        "delivery_id": encode("dlv", parcel.delivery_id),
        "destination_id": encode("dst", parcel.destination_id) if isinstance(target, Obstacle) else target.id,
        "kind": parcel.kind,
        "attempt": parcel.number,
        "outcome": one.decision.edge.value,
        "status_code": outcome.status_code,
        "error": outcome.error or None,
        "detail": outcome.inner or outcome.detail or None,
        "duration_ms": outcome.duration_ms,
        "bytes": len(parcel.message.body),
        "due_at": one.decision.due_at and one.decision.due_at.isoformat(),
        "trace_id": parcel.message.traceparent[3:35] or None,
    }


@lru_cache(1_000)
def _project(project_id: UUID) -> str:
    return encode("prj", project_id)
