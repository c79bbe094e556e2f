"""Says that this engine lives, in a row that the health page and the admin read."""

import os
import socket
from datetime import timedelta
from uuid import UUID

from apps.deliveries.engine.telemetry import FAN_OUTS, OLDEST_DUE, OPERATIONS, SENDING
from apps.deliveries.models import EngineHeartbeat
from apps.deliveries.operations.selectors import operations_running
from apps.deliveries.selectors import fan_outs_waiting, oldest_due_age
from apps.kernel.clock import now

FORGOTTEN_AFTER = timedelta(hours=1)


def beat(engine_id: UUID, *, sending: int) -> None:
    """Write this engine's row, and clear away those of engines long gone."""
    SENDING.set(sending)
    OLDEST_DUE.set(oldest_due_age())
    FAN_OUTS.set(fan_outs_waiting())
    OPERATIONS.set(operations_running())
    row = {"host": socket.gethostname(), "pid": os.getpid(), "sending": sending, "seen_at": now()}
    EngineHeartbeat.objects.update_or_create(pk=engine_id, defaults=row)
    EngineHeartbeat.objects.filter(seen_at__lt=now() - FORGOTTEN_AFTER).delete()


def stop(engine_id: UUID) -> None:
    """A clean goodbye."""
    EngineHeartbeat.objects.filter(pk=engine_id).delete()
