"""What the engine reads of destinations with every claim, in sets."""

import json
from collections.abc import Collection
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import psycopg
from django.db import connection

from apps.accounts.egress import rules_in
from apps.destinations.kinds import SigningKey, Target, kind_named
from apps.destinations.models import Destination
from apps.destinations.policy import Policy, schemes_of
from apps.destinations.routing.transforms import stored_transform
from apps.destinations.sealing import Unsealable, unseal
from apps.destinations.selectors import live_secrets
from apps.kernel.clock import now
from apps.kernel.ids import encode

type Secrets = tuple[tuple[UUID, str, str], ...]  # ids, schemes and sealed texts

# Django takes twenty times as long to put its own two queries together, which for small claims is most of their cost.
TARGETS = """
SELECT x.id, x.kind, x.deleted_at IS NOT NULL, x.sealed_config, x.policy::text, x.transform::text, p.egress::text,
    live.ids, live.schemes, live.texts
FROM destinations_destination x JOIN accounts_project p ON p.id = x.project_id CROSS JOIN LATERAL (
    SELECT array_agg(s.id ORDER BY s.created_at DESC, s.id DESC) AS ids,
        array_agg(s.scheme ORDER BY s.created_at DESC, s.id DESC) AS schemes,
        array_agg(s.sealed ORDER BY s.created_at DESC, s.id DESC) AS texts
    FROM destinations_secret s WHERE s.destination_id = x.id AND (s.expires_at IS NULL OR s.expires_at > %s)
) live
WHERE x.id = ANY(%s)"""


COLUMNS = ("pk", "kind", "deleted_at", "sealed_config", "policy", "transform", "project__egress")


class Settings(NamedTuple):
    """What is no secret, as JSON texts: the cache compares them by value."""

    policy: str
    transform: str
    egress: str  # its project's


class SealedTarget(NamedTuple):
    """All that makes a destination's Target, still sealed."""

    kind: str
    deleted: bool
    config: str
    settings: Settings
    secrets: Secrets  # every live one, newest first


def sealed_targets(destination_ids: Collection[UUID]) -> dict[UUID, SealedTarget]:
    """By destination."""
    return _by_statement(destination_ids) if connection.vendor == "postgresql" else _by_orm(destination_ids)


def _by_statement(destination_ids: Collection[UUID]) -> dict[UUID, SealedTarget]:
    connection.ensure_connection()  # and past Django's cursor, which would put every id into the statement's text
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        rows: list[Any] = cursor.execute(TARGETS.encode(), [now(), list(destination_ids)], binary=True).fetchall()
    return {
        pk: SealedTarget(
            kind, deleted, config, Settings(*settings), tuple(zip(ids or (), schemes or (), texts or (), strict=True))
        )
        for pk, kind, deleted, config, *settings, ids, schemes, texts in rows
    }


def _by_orm(destination_ids: Collection[UUID]) -> dict[UUID, SealedTarget]:
    secrets = live_secrets(destination_ids)
    rows = Destination.objects.filter(pk__in=list(destination_ids)).values_list(*COLUMNS)
    return {
        pk: SealedTarget(
            kind, deleted_at is not None, config, Settings(*map(json.dumps, settings)), tuple(secrets.get(pk, ()))
        )
        for pk, kind, deleted_at, config, *settings in rows
    }


@lru_cache(maxsize=16_384)
def opened(destination_id: UUID, sealed: SealedTarget) -> Target:
    """What a sender needs of a destination, in the clear; raises Unsealable. The same object while nothing changes."""
    config = json.loads(unseal(sealed.config, purpose="config", row=destination_id))
    policy = msgspec.json.decode(sealed.settings.policy, type=Policy)
    schemes = schemes_of(policy)
    keys = tuple(
        SigningKey(scheme, unseal(text, purpose="secret", row=secret_id))
        for secret_id, scheme, text in sealed.secrets
        if scheme in schemes
    )
    if not keys and kind_named(sealed.kind).signs:
        raise Unsealable("no key of its schemes is live")  # nothing goes out unsigned
    return Target(
        id=encode("dst", destination_id),
        config=config,
        secrets=keys,
        policy=policy,
        egress=rules_in(sealed.settings.egress),
        transform=stored_transform(sealed.settings.transform),
    )
