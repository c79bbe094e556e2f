"""Which destinations may be claimed for, beyond being enabled, as conditions of the ORM: PostgreSQL has them as text.

Limited ones only where the claim was admitted under their buckets' locks, and those whose breaker is not closed only to
be probed. Deleted ones in any case: what waits for them is cancelled.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from apps.deliveries.models import Breaker, BreakerState
from apps.deliveries.store.limits import LIMITING

DELETED = Q(deleted_at__isnull=False)


def _broken(**further: object) -> Exists:
    """Its breaker is not closed, and not void."""
    rows = Breaker.objects.exclude(state=BreakerState.CLOSED).filter(failing_since__gte=OuterRef("status_at"))
    return Exists(rows.filter(pk=OuterRef("pk"), **further))


def admitted(limited: Collection[UUID], probed: Collection[UUID]) -> Q:
    """For a claim that holds the locks of these."""
    within = Q(pk__in=list(limited)) | ~Q(policy__has_any_keys=LIMITING)
    return DELETED | within & (Q(pk__in=list(probed)) | ~Q(_broken()))


def worth_a_look(now: datetime) -> Q:
    return DELETED | ~Q(_broken(retry_at__gt=now))


def flowing() -> Q:
    return DELETED | ~Q(_broken())
