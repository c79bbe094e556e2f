"""Makes the deliveries of events that very many want, chunk by chunk."""

import structlog

from apps.deliveries.engine import telemetry
from apps.deliveries.fan_out import expand_next

log = structlog.get_logger("trunkline.engine")


def run_once() -> int | None:
    """One chunk; how many deliveries it made, None when there was nothing to expand."""
    made = expand_next()
    if made:
        telemetry.FANNED_OUT.inc(made)
        log.info("deliveries.fanned_out", count=made)
    return made
