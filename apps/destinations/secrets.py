"""Signing keys: made, rotated with an overlap, and re-sealed when the encryption keys change."""

import secrets as randomness
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q

from apps.audit.services import Actor, audit_record
from apps.destinations.kinds import SigningKey, kind_named
from apps.destinations.kinds.webhook.signing import format_secret, public_text
from apps.destinations.models import Destination, Secret
from apps.destinations.policy import Scheme, parse_policy, schemes_of
from apps.destinations.sealing import Unsealable, is_current, seal, unseal
from apps.kernel.clock import now
from apps.kernel.errors import Conflict, Fault, Invalid
from apps.kernel.ids import new_uuid

SECRET_BYTES = 32
DEFAULT_OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP = timedelta(days=7)
TELL_EVERY = 1_000  # rows
MOST_LIVE = 5  # of one scheme; each signs every delivery, in one header


class NewKeys(NamedTuple):
    """What was made, as the one who asked is shown it: the secret now and never again, the public key always."""

    secret: str = ""  # `whsec_…`; empty where none was made
    public_key: str = ""  # `whpk_…`

    def __repr__(self) -> str:
        return "NewKeys()"


def keys_complete(destination: Destination, given: SigningKey | None = None) -> NewKeys:
    """A key for each scheme of its policy that has none, the `given` one or a fresh one. In the caller's transaction.

    None of them where its kind does not sign. Raises Invalid for a given key of another scheme.
    """
    if not kind_named(destination.kind).signs:
        return NewKeys()
    wanted = schemes_of(parse_policy(destination.policy))
    if given:
        _refuse_other_scheme(given, wanted)
    there = set(destination.secrets.filter(_live()).values_list("scheme", flat=True))
    return _made(destination, [scheme for scheme in wanted if scheme not in there], given)


@transaction.atomic
def secret_rotate(
    *,
    destination: Destination,
    actor: Actor,
    overlap: timedelta = DEFAULT_OVERLAP,
    secret: SigningKey | None = None,
    scheme: str | None = None,
) -> NewKeys:
    """New keys sign from now on, of all its schemes or of one; the earlier ones sign beside them for the overlap."""
    if not kind_named(destination.kind).signs:
        raise Conflict(f"deliveries of the kind {destination.kind} are not signed", code="not_signed")
    current = Destination.objects.select_for_update().get(pk=destination.pk)  # two rotations follow one another
    schemes = _rotated(schemes_of(parse_policy(current.policy)), secret, scheme)
    end = now() + overlap
    earlier = current.secrets.filter(Q(expires_at=None) | Q(expires_at__gt=end), scheme__in=schemes)
    earlier.update(expires_at=end)
    made = _made(current, schemes, secret)
    _expire_surplus(current, schemes)
    audit_record(
        actor=actor,
        action="destination.secret_rotated",
        target=current.public_id,
        project_id=current.project_id,
        changes={"earlier_until": end.isoformat(), "schemes": list(schemes)},
    )
    return made


def _rotated(wanted: Iterable[Scheme], secret: SigningKey | None, scheme: str | None) -> tuple[str, ...]:
    """The schemes to rotate: the one that is named, or that of the secret given, or all."""
    if secret:
        _refuse_other_scheme(secret, (scheme,) if scheme else wanted)
        scheme = secret.scheme
    if scheme and scheme not in tuple(wanted):
        raise Invalid(f"it does not sign with {scheme}", faults=[Fault("/scheme", "is none of its schemes")])
    return (scheme,) if scheme else tuple(wanted)


def _refuse_other_scheme(key: SigningKey, wanted: Iterable[str]) -> None:
    if key.scheme not in tuple(wanted):
        fault = Fault("/secret", f"is a key for {key.scheme}, and {' and '.join(wanted)} is what is asked for")
        raise Invalid("a key of another scheme", faults=[fault])


def _made(destination: Destination, schemes: Iterable[str], given: SigningKey | None) -> NewKeys:
    made = NewKeys()
    for scheme in dict.fromkeys(schemes):
        own = given.key if given and given.scheme == scheme else None
        key = own or randomness.token_bytes(SECRET_BYTES)
        _add(destination, scheme, key)
        if scheme == Scheme.HMAC:
            made = made._replace(secret=format_secret(key))
        else:
            made = made._replace(public_key=public_text(key))
    return made


def _add(destination: Destination, scheme: str, key: bytes) -> None:
    row = Secret(id=new_uuid(), destination=destination, scheme=scheme)
    row.sealed = seal(key, purpose="secret", row=row.pk)
    row.save(force_insert=True)


def _live() -> Q:
    return Q(expires_at=None) | Q(expires_at__gt=now())


def _expire_surplus(destination: Destination, schemes: Iterable[str]) -> None:
    for scheme in schemes:
        its = destination.secrets.filter(scheme=scheme)
        newest = its.order_by("-created_at", "-pk").values_list("pk", flat=True)[:MOST_LIVE]
        its.exclude(pk__in=list(newest)).delete()


def reseal_all(progress: Callable[[int, int], None] = lambda seen, resealed: None) -> tuple[int, list[str]]:
    """Seal what an older key sealed under the newest one, row by row. Safe to stop and to repeat.

    Returns how many, and the public ids of the destinations that hold something no configured key opens.
    `progress` is told, every so many rows, how many were seen and how many of them sealed anew.
    """
    resealed, unreadable = 0, set[str]()
    for seen, (row, field, purpose) in enumerate(_sealed_rows(), 1):
        if seen % TELL_EVERY == 0:
            progress(seen, resealed)
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
