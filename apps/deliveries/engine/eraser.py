"""Erases consumers, chunk by chunk, one after the other."""

import time

import structlog

from apps.deliveries.erasing import erase_next
from apps.deliveries.models import Operation
from apps.kernel.ids import encode

log = structlog.get_logger("trunkline.engine")


def run_once() -> Operation | None:
    """One chunk; None when there is nothing to erase, or others are at all of it."""
    began = time.perf_counter()
    operation = erase_next()
    if operation:
        log.info(
            "consumer.erasing",
            operation_id=operation.public_id,
            project_id=encode("prj", operation.project_id),
            state=str(operation.state),
            changed=operation.changed,
            duration_ms=round((time.perf_counter() - began) * 1000),
        )
    return operation
