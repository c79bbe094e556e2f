"""Operational notices: what people should hear of their destinations and deliveries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from apps.kernel.ids import encode

log = structlog.get_logger("trunkline.deliveries")


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that happened to a destination, or to one of its deliveries."""

    project_id: UUID
    type: str  # destination.failing, destination.disabled, destination.recovered, delivery.dead
    destination_id: UUID
    data: Mapping[str, Any]


def notify(notices: Sequence[Notice]) -> None:
    """Make them known. In the transaction of what they tell of."""
    for one in notices:
        log.warning(
            "operational.notice",
            type=one.type,
            project_id=encode("prj", one.project_id),
            destination_id=encode("dst", one.destination_id),
            data=dict(one.data),
        )
