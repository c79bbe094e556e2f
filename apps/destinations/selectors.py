"""Reads of consumers and destinations."""

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from apps.accounts.models import Project
from apps.destinations.kinds.webhook.signing import public_text
from apps.destinations.models import Consumer, Destination, Ordering, Secret, Status
from apps.destinations.policy import Scheme
from apps.destinations.routing.matching import AT_ONCE, InlineJudge, Matched, Subscription, matched, subscription
from apps.destinations.routing.subject import EventLike, Subject
from apps.destinations.sealing import Unsealable, unseal
from apps.kernel.clock import now
from apps.kernel.ids import InvalidId, decode

CHUNK = 1_000  # subscriptions read at once where they may be very many

type SubscriptionRow = tuple[UUID, str, list[str], str, bool]  # id, its consumer's key or "", patterns, filter, ordered


def consumers(project: Project) -> QuerySet[Consumer]:
    return Consumer.objects.filter(project=project)


def consumer_named(project: Project, key_or_id: str) -> Consumer | None:
    """By public id, or else by the producer's key: by just this one, also where the database finds others equal."""
    try:
        return Consumer.objects.filter(project=project, pk=decode("con", key_or_id)).first()
    except InvalidId:
        found = Consumer.objects.filter(project=project, key=key_or_id).first()
        return found if found and found.key == key_or_id else None


def destinations(project: Project) -> QuerySet[Destination]:
    """All but the deleted ones."""
    return Destination.objects.filter(project=project, deleted_at=None).select_related("consumer")


def destinations_to_blank(consumer: Consumer) -> QuerySet[Destination]:
    """Its destinations that an erasure has yet to blank: those that live, and deleted ones that still say something."""
    return consumer.destinations.filter(Q(deleted_at=None) | ~Q(name="") | ~Q(summary=""))


def subscriptions(project_id: UUID, *, operational: bool = False) -> QuerySet[Destination]:
    """Those that new events make deliveries for: enabled and paused ones.

    The producers' events go to the ones that aren't `operational`, and what Trunkline says to those that are.
    """
    wanting = Q(status=Status.ENABLED) | Q(status=Status.PAUSED)
    there = Destination.objects.filter(wanting, project=project_id, operational=operational, deleted_at=None)
    return there.select_related("consumer")


def subscription_rows(project_id: UUID) -> list[SubscriptionRow]:
    """The same as plain rows."""
    return _rows(subscriptions(project_id))


def _rows(found: QuerySet[Destination]) -> list[SubscriptionRow]:
    rows = found.values_list("pk", "consumer__key", "event_types", "filter", "ordering")
    return [(pk, key or "", patterns, text, ordering == Ordering.PER_KEY) for pk, key, patterns, text, ordering in rows]


def subscriptions_after(
    project_id: UUID,
    cursor: UUID | None,
    *,
    consumer: str,
    limit: int,
    made_by: datetime | None = None,
    operational: bool = False,
) -> list[Subscription]:
    """The next `limit` in order of id, of that consumer or of none, made by a time."""
    theirs = Q(consumer=None) | Q(consumer__key=consumer) if consumer else Q(consumer=None)
    rows = subscriptions(project_id, operational=operational).filter(theirs)
    rows = rows.filter(created_at__lte=made_by) if made_by else rows
    rows = rows.filter(pk__gt=cursor) if cursor else rows
    return [subscription(*row) for row in _rows(rows.order_by("pk")[:limit])]


def wanting(project_id: UUID, event: EventLike, *, most: int, operational: bool = False) -> Matched:
    """Who would get the event now, in order of id: at least `most` of them, or all. Long filters are undecided."""
    found, cursor, judge = Matched(), None, InlineJudge(Subject.of(event), AT_ONCE)
    while rows := subscriptions_after(
        project_id, cursor, consumer=event.consumer, limit=CHUNK, operational=operational
    ):
        candidates = [one for one in rows if one.wants(event.type, event.consumer)]
        for one in candidates:
            if one.filter:
                one.filter.compile()
        more = matched(candidates, judge)
        found.wanting += more.wanting
        found.undecided |= more.undecided
        if found.undecided or len(found.wanting) >= most or len(rows) < CHUNK:
            break
        cursor = rows[-1].destination_id
    return found


def candidates(project_id: UUID, event_type: str, consumer: str, *, most: int) -> list[Subscription]:
    """Up to `most` that want events of the type and consumer, in order of id, whatever their filters say."""
    found: list[Subscription] = []
    cursor = None
    while rows := subscriptions_after(project_id, cursor, consumer=consumer, limit=CHUNK):
        found += [one for one in rows if one.wants(event_type, consumer)]
        if len(found) >= most or len(rows) < CHUNK:
            break
        cursor = rows[-1].destination_id
    return found[:most]


def operational_rows(project_ids: Iterable[UUID]) -> list[tuple[UUID, UUID, UUID | None, list[str]]]:
    """The operational subscriptions of these projects: project, destination, its consumer or None, patterns."""
    wanting = Q(status=Status.ENABLED) | Q(status=Status.PAUSED)
    rows = Destination.objects.filter(wanting, project__in=list(project_ids), operational=True, deleted_at=None)
    return list(rows.order_by("pk").values_list("project_id", "pk", "consumer_id", "event_types"))


def claimable_ids() -> QuerySet[Destination, Any]:
    """Those whose deliveries an engine may claim, as a subquery: enabled ones to send, deleted ones to cancel."""
    claimable = Q(status=Status.ENABLED) | Q(deleted_at__isnull=False)
    return Destination.objects.filter(claimable).values("pk")


def config_of(destination: Destination) -> dict[str, Any]:
    """The kind's config in the clear; raises Unsealable."""
    plain = unseal(destination.sealed_config, purpose="config", row=destination.pk)
    config: dict[str, Any] = json.loads(plain)
    return config


def public_keys(destinations: Iterable[Destination]) -> dict[UUID, list[str]]:
    """Of those that sign with `v1a`, as texts, newest first. One query, or none where there are no such."""
    asked = [one.pk for one in destinations if Scheme.ED25519 in one.policy.get("signing", {}).get("schemes", ())]
    found: dict[UUID, list[str]] = {}
    for pk, secrets in (live_secrets(asked) if asked else {}).items():
        mine = [(row, sealed) for row, scheme, sealed in secrets if scheme == Scheme.ED25519]
        found[pk] = [text for row, sealed in mine if (text := _public(row, sealed))]
    return found


def public_key(secret: Secret) -> str:
    """`whpk_…`; empty where it has none, or can't be read."""
    return _public(secret.pk, secret.sealed) if secret.scheme == Scheme.ED25519 else ""


def _public(row: UUID, sealed: str) -> str:
    """Empty where it can't be read: the destination says so beside it."""
    try:
        return public_text(unseal(sealed, purpose="secret", row=row))
    except Unsealable:
        return ""


def live_secrets(destination_ids: Iterable[UUID]) -> dict[UUID, list[tuple[UUID, str, str]]]:
    """Each destination's live secrets, ids, schemes and sealed texts, newest first. One query."""
    live = Secret.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now()), destination__in=list(destination_ids))
    found: dict[UUID, list[tuple[UUID, str, str]]] = defaultdict(list)
    rows = live.order_by("-created_at", "-pk").values_list("destination_id", "pk", "scheme", "sealed")
    for destination_id, secret_id, scheme, sealed in rows:
        found[destination_id].append((secret_id, scheme, sealed))
    return found
