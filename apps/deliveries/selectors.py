"""Reads of deliveries and attempts."""

from datetime import timedelta

from django.db.models import QuerySet

from apps.accounts.models import Project
from apps.deliveries.models import Attempt, Delivery, EngineHeartbeat
from apps.deliveries.states import State
from apps.destinations.selectors import claimable_ids
from apps.kernel.clock import now

ENGINE_IS_LOST_AFTER = timedelta(seconds=30)


def deliveries(project: Project) -> QuerySet[Delivery]:
    return Delivery.objects.filter(project=project)


def attempts(delivery: Delivery) -> QuerySet[Attempt]:
    return Attempt.objects.filter(delivery=delivery).order_by("number")


def engines_alive() -> QuerySet[EngineHeartbeat]:
    return EngineHeartbeat.objects.filter(seen_at__gt=now() - ENGINE_IS_LOST_AFTER)


def oldest_due_age() -> float:
    """How long, in seconds, the delivery due longest has waited that an engine could take; 0 when there is none."""
    moment = now()
    due = Delivery.objects.filter(state=State.READY, due_at__lte=moment, destination__in=claimable_ids()).order_by(
        "due_at"
    )
    oldest = due.values_list("due_at", flat=True).first()
    return (moment - oldest).total_seconds() if oldest else 0.0
