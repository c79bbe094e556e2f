"""Signing secrets: made, rotated with an overlap, and re-sealed when the encryption keys change."""

import secrets as randomness
from collections.abc import Iterator
from datetime import timedelta

from django.db import transaction
from django.db.models import Q

from apps.audit.services import Actor, audit_record
from apps.destinations.kinds.webhook.signing import format_secret
from apps.destinations.models import Destination, Secret
from apps.destinations.sealing import Unsealable, is_current, seal, unseal
from apps.kernel.clock import now
from apps.kernel.ids import new_uuid

SECRET_BYTES = 32
DEFAULT_OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP = timedelta(days=7)
MOST_LIVE = 5  # each signs every delivery, in one header


def secret_add(destination: Destination, plain: bytes | None = None) -> str:
    """Store a secret, a fresh one unless given; returns its text, `whsec_…`. In the caller's transaction."""
    plain = plain or randomness.token_bytes(SECRET_BYTES)
    row = Secret(id=new_uuid(), destination=destination)
    row.sealed = seal(plain, purpose="secret", row=row.pk)
    row.save(force_insert=True)
    return format_secret(plain)


@transaction.atomic
def secret_rotate(
    *, destination: Destination, actor: Actor, overlap: timedelta = DEFAULT_OVERLAP, secret: bytes | None = None
) -> str:
    """A new secret signs from now on; the earlier ones sign beside it until `overlap` has passed."""
    Destination.objects.select_for_update().get(pk=destination.pk)  # two rotations follow one another
    end = now() + overlap
    destination.secrets.filter(Q(expires_at=None) | Q(expires_at__gt=end)).update(expires_at=end)
    text = secret_add(destination, secret)
    _expire_surplus(destination)
    audit_record(
        actor=actor,
        action="destination.secret_rotated",
        target=destination.public_id,
        project_id=destination.project_id,
        changes={"earlier_until": end.isoformat()},
    )
    return text


def _expire_surplus(destination: Destination) -> None:
    newest = destination.secrets.order_by("-created_at", "-pk").values_list("pk", flat=True)[:MOST_LIVE]
    destination.secrets.exclude(pk__in=list(newest)).delete()


def reseal_all() -> tuple[int, list[str]]:
    """Seal what an older key sealed under the newest one, row by row. Safe to repeat.

    Returns how many, and the public ids of the destinations that hold something no configured key opens.
    """
    resealed, unreadable = 0, set()
    for row, field, purpose in _sealed_rows():
        sealed, destination = getattr(row, field), row if isinstance(row, Destination) else row.destination
        if is_current(sealed):
            continue
        try:
            anew = seal(unseal(sealed, purpose=purpose, row=row.pk), purpose=purpose, row=row.pk)
        except Unsealable:
            unreadable.add(destination.public_id)
            continue
        unchanged = type(row)._default_manager.filter(pk=row.pk, **{field: sealed})
        resealed += unchanged.update(**{field: anew})
    return resealed, sorted(unreadable)


def _sealed_rows() -> Iterator[tuple[Secret | Destination, str, str]]:
    """Every row that holds something sealed, the column, and the purpose it was sealed for."""
    for secret in Secret.objects.select_related("destination").iterator():
        yield secret, "sealed", "secret"
    for destination in Destination.objects.iterator():
        yield destination, "sealed_config", "config"
