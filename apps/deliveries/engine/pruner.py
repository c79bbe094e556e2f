"""Deletes what is beyond its retention: events with all that belongs to them, old keys, operations long over."""

import time
from datetime import timedelta
from uuid import UUID

import structlog

from apps.deliveries import pruning
from apps.deliveries.engine import telemetry
from apps.deliveries.operations.services import operations_prune
from apps.deliveries.pruning import Batch
from apps.events.store import keys_expire
from apps.kernel.clock import now
from apps.kernel.ids import encode

KEYS_KEPT = timedelta(hours=48)  # twice what is promised
KEYS_BATCH = 5_000
OPERATIONS_KEPT = timedelta(days=30)  # after their end
OPERATIONS_BATCH = 1_000

log = structlog.get_logger("trunkline.engine")


def run_once() -> int:
    """One batch of events, keys or operations; how many rows it looked at, 0 when nothing is left for now."""
    for project_id in pruning.projects_due(now()):
        batch = prune_project(project_id)
        if batch.looked_at:
            return batch.looked_at
    return run_keys() or operations_prune(before=now() - OPERATIONS_KEPT, limit=OPERATIONS_BATCH)


def run_keys() -> int:
    """One batch of idempotency keys; how many were forgotten."""
    return keys_expire(before=now() - KEYS_KEPT, limit=KEYS_BATCH)


def prune_project(project_id: UUID, *, replan: bool = False) -> Batch:
    """One batch of one project, told to the outside."""
    began = time.perf_counter()
    batch = pruning.prune_next(project_id, now=now(), replan=replan)
    if batch.deliveries or batch.events:
        telemetry.PRUNED.inc(batch.events)
        log.info(
            "events.pruned",
            project_id=encode("prj", project_id),
            events=batch.events,
            deliveries=batch.deliveries,
            attempts=batch.attempts,
            duration_ms=round((time.perf_counter() - began) * 1000),
        )
    return batch
