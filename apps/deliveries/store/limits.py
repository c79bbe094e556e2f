"""What a claim for a limited destination must have: a place in its token bucket's lock, and of the cap what is left."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from uuid import UUID

from django.db.models import Count

from apps.deliveries.models import Delivery, TokenBucket
from apps.deliveries.states import State
from apps.destinations.models import Destination
from apps.destinations.policy import Policy, stored_policy

LIMITING = ("rate_limit", "max_in_flight")  # fields of a policy; the claim refuses one that has any, unless admitted
EVER = datetime.fromtimestamp(0, UTC)


def limited(destination_ids: Collection[UUID]) -> dict[UUID, Policy]:
    """Those of them that are limited, with their policies as they are now."""
    rows = Destination.objects.filter(pk__in=destination_ids, policy__has_any_keys=LIMITING)
    return {pk: stored_policy(policy, *LIMITING) for pk, policy in rows.values_list("pk", "policy")}


def buckets_locked(destination_ids: Collection[UUID], *, now: datetime) -> dict[UUID, datetime]:
    """Arrivals by destination, without those that another engine is claiming for at this moment."""
    rows = TokenBucket.objects.select_for_update(skip_locked=True).order_by("pk")
    found = dict(rows.filter(pk__in=destination_ids).values_list("pk", "arrival"))
    if missing := set(destination_ids) - set(found):
        missing -= set(TokenBucket.objects.filter(pk__in=missing).values_list("pk", flat=True))
    if missing:
        new = [TokenBucket(pk=pk, arrival=now) for pk in sorted(missing)]
        TokenBucket.objects.bulk_create(new, ignore_conflicts=True)
        found |= dict(rows.filter(pk__in=missing).values_list("pk", "arrival"))
    return found


def in_flight(destination_ids: Collection[UUID]) -> dict[UUID, int]:
    """How many deliveries all engines hold of each: by the index of leases, for few are held at any time."""
    held = Delivery.objects.filter(state=State.SENDING, lease_until__gt=EVER, destination__in=destination_ids)
    return dict(held.order_by().values_list("destination").annotate(count=Count("pk")))


def buckets_write(arrivals: Mapping[UUID, datetime]) -> None:
    """Of locked buckets."""
    if arrivals:
        TokenBucket.objects.bulk_update(
            [TokenBucket(pk=pk, arrival=arrival) for pk, arrival in arrivals.items()], ["arrival"]
        )
