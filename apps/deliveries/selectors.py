"""Reads of deliveries and attempts."""

from datetime import timedelta
from uuid import UUID

from django.db.models import QuerySet

from apps.accounts.models import Project
from apps.deliveries import store
from apps.deliveries.models import Attempt, Delivery, EngineHeartbeat, FanOut
from apps.deliveries.states import State
from apps.destinations.models import Destination
from apps.kernel.clock import now
from apps.kernel.walks import led_by

MOST_COUNTED = 1_000
ENGINE_IS_LOST_AFTER = timedelta(seconds=30)


def deliveries(project: Project) -> QuerySet[Delivery]:
    return led_by(Delivery.objects.all(), "project_id", project.pk)


def attempts(delivery: Delivery) -> QuerySet[Attempt]:
    return Attempt.objects.filter(delivery=delivery).order_by("number")


def engines_alive() -> QuerySet[EngineHeartbeat]:
    return EngineHeartbeat.objects.filter(seen_at__gt=now() - ENGINE_IS_LOST_AFTER)


def fan_outs_waiting() -> int:
    """Events whose deliveries are still to be made; counted to 1,000 only."""
    return FanOut.objects.all()[:MOST_COUNTED].count()


def waiting_up_to(project_id: UUID, most: int) -> int:
    """How many of the project's deliveries wait, counted to `most` only: along each destination's lane."""
    lanes = Destination.objects.filter(project=project_id).values("pk")
    return Delivery.objects.filter(state=State.READY, destination__in=lanes)[:most].count()


def oldest_due_age() -> float:
    """How long, in seconds, the delivery due longest has waited that an engine could take; 0 when there is none."""
    moment = now()
    oldest = store.oldest_due(now=moment)
    return (moment - oldest).total_seconds() if oldest else 0.0
