"""Signing secrets: made, rotated with an overlap, and re-sealed when the encryption keys change."""

import secrets as randomness
from datetime import timedelta

from django.db import transaction
from django.db.models import Q

from apps.audit.services import Actor, audit_record
from apps.destinations.kinds.webhook.signing import format_secret
from apps.destinations.models import Destination, Secret
from apps.destinations.sealing import is_current, seal, unseal
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


def reseal_all() -> int:
    """Seal what an older key sealed under the newest one, row by row; returns how many. Safe to repeat."""
    resealed = 0
    for secret in Secret.objects.iterator():
        if not is_current(secret.sealed):
            plain = unseal(secret.sealed, purpose="secret", row=secret.pk)
            sealed = seal(plain, purpose="secret", row=secret.pk)
            resealed += Secret.objects.filter(pk=secret.pk, sealed=secret.sealed).update(sealed=sealed)
    for destination in Destination.objects.iterator():
        if not is_current(destination.sealed_config):
            plain = unseal(destination.sealed_config, purpose="config", row=destination.pk)
            sealed = seal(plain, purpose="config", row=destination.pk)
            unchanged = Destination.objects.filter(pk=destination.pk, sealed_config=destination.sealed_config)
            resealed += unchanged.update(sealed_config=sealed)
    return resealed
