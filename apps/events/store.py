"""Set-oriented writes of the intake: keys and events, in a handful of statements however many."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models.functions import Length

from apps.events.models import Event, IdempotencyKey
from apps.kernel import bulk, ids
from apps.kernel.contention import Contended


class EventRow(NamedTuple):
    """An event about to be inserted; the fields are the columns."""

    id: UUID
    project_id: UUID
    type: str
    time: datetime
    data: bytes
    received_at: datetime
    source: str = ""
    subject: str = ""
    consumer: str = ""
    ordering_key: str = ""
    idempotency_key: str = ""
    schema_version: int | None = None
    traceparent: str = ""
    extensions: Mapping[str, Any] = {}

    @property
    def public_id(self) -> str:
        return ids.encode("evt", self.id)


@dataclass(frozen=True, slots=True)
class KeyClaim:
    """An event's wish to be the one of its idempotency key."""

    key: UUID
    event_id: UUID
    fingerprint: bytes


def key_hash(project_id: UUID, idempotency: tuple[str, ...]) -> UUID:
    """122 bits of SHA-256 over project and key; the separator can't occur in a key.

    In the shape of a UUIDv5, which it nearly is: MariaDB refuses bits without a version, and those of version 8, too.
    """
    text = "\x00".join((str(project_id), *idempotency))
    return UUID(bytes=sha256(text.encode()).digest()[:16], version=5)


def hashes_of(event: Event) -> list[UUID]:
    """Those its key may be stored under: it is a key of ours, or the id of a CloudEvent."""
    key = event.idempotency_key
    ways = (("key", key), ("cloudevents", event.source, key)) if key else ()
    return [key_hash(event.project_id, way) for way in ways]


def keys_claim(claims: Sequence[KeyClaim]) -> dict[UUID, KeyClaim]:
    """By key, the claim that holds it now: ours, or an earlier one's. Inside the intake's transaction.

    Where another transaction is just claiming the same key, the insert waits for that one's end; sorted, so that
    two sets that share keys wait for one another in one order and don't deadlock. Raises Contended.
    """
    rows = [
        IdempotencyKey(id=claim.key, event_id=claim.event_id, fingerprint=claim.fingerprint)
        for claim in sorted(claims, key=lambda claim: claim.key)
    ]
    IdempotencyKey.objects.bulk_create(rows, ignore_conflicts=True)
    held = IdempotencyKey.objects.filter(pk__in=[row.pk for row in rows])
    found = {row.pk: KeyClaim(row.pk, row.event_id, bytes(row.fingerprint)) for row in held}
    if len(found) < len(rows):  # whoever held a key let go of it again, after our insert had given way
        raise Contended("an idempotency key was taken back")
    return found


def keys_release(claims: Iterable[KeyClaim]) -> None:
    """Take back claims of this transaction whose events do not come about."""
    held = {claim.key: claim.event_id for claim in claims}
    if held:
        IdempotencyKey.objects.filter(pk__in=held, event_id__in=held.values()).delete()


def data_sizes(event_ids: Iterable[UUID]) -> dict[UUID, int]:
    """How many bytes of data each event has, without reading them."""
    return dict(Event.objects.filter(pk__in=set(event_ids)).values_list("pk", Length("data")))


def attributes_of(event_ids: Iterable[UUID]) -> dict[UUID, tuple[str, str, str, int | None, Mapping[str, str], str]]:
    """What the claim of a delivery leaves out: source, subject and so on. One query."""
    columns = ("pk", "source", "subject", "ordering_key", "schema_version", "extensions", "consumer")
    return {pk: tuple(row) for pk, *row in Event.objects.filter(pk__in=set(event_ids)).values_list(*columns)}


def keys_expire(*, before: datetime, limit: int) -> int:
    """Forget the oldest keys that were used before a time; returns how many."""
    old = IdempotencyKey.objects.filter(created_at__lt=before).order_by("created_at")
    return IdempotencyKey.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:limit])).delete()[0]


def keys_forget(events: Iterable[Event]) -> None:
    """Forget the keys these events came under: they are about to be erased."""
    by_hash = {one: event.pk for event in events for one in hashes_of(event)}
    IdempotencyKey.objects.filter(pk__in=by_hash, event_id__in=by_hash.values()).delete()


def events_insert(events: Sequence[EventRow]) -> None:
    """In the caller's transaction."""
    bulk.insert(Event, EventRow._fields, events)
