"""Writes what became of attempts, in sets, then tells about them."""

from collections.abc import Sequence

import structlog
from django.db import DataError, IntegrityError

from apps.deliveries import store
from apps.deliveries.engine import telemetry
from apps.deliveries.engine.attempt import Attempted
from apps.destinations.services import destination_disable
from apps.kernel.clock import now
from apps.kernel.ids import encode

log = structlog.get_logger("trunkline.engine")


def run_once(attempts: Sequence[Attempted]) -> None:
    """Settle a set; whether or not some lost their lease, all are done with afterwards.

    Should the database refuse the set for what is in it, halving finds the row that is to blame. That one is left
    to its lease: it must not keep the others from being written.
    """
    try:
        _settle(attempts)
    except (DataError, IntegrityError):
        if len(attempts) == 1:
            log.exception("attempt.unwritable", delivery_id=encode("dlv", attempts[0].parcel.delivery_id))
            return
        half = len(attempts) // 2
        run_once(attempts[:half])
        run_once(attempts[half:])


def _settle(attempts: Sequence[Attempted]) -> None:
    written = store.settle([one.settlement() for one in attempts], now=now())
    for destination_id in {one.parcel.destination_id for one in attempts if one.decision.disables}:
        destination_disable(destination_id=destination_id, reason="gone")
    telemetry.tell(attempts, written)
