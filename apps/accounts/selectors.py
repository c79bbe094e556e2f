"""Reads of accounts."""

from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Q, QuerySet

from apps.accounts import keys
from apps.accounts.key_records import KeyRecord
from apps.accounts.models import ApiKey, Membership, Project, Usage
from apps.accounts.principal import Principal
from apps.accounts.quotas import quotas_of
from apps.audit.services import Actor
from apps.kernel.clock import now
from apps.kernel.ids import InvalidId, decode

LAST_USE_RESOLUTION = timedelta(minutes=1)


def api_key_principal(text: str) -> Principal | None:
    """The principal behind an API key, or None when it is unknown, expired or revoked. One query."""
    prefix = keys.prefix_of(text)
    key = ApiKey.objects.select_related("project").filter(prefix=prefix).first() if prefix else None
    if key is None or not keys.matches(text, key.digest) or not _live(key):
        return None
    _note_use(key, text)
    actor = Actor(kind="api_key", id=key.public_id, label=key.name)
    return Principal(key.project, actor, frozenset(key.scopes), expires_at=key.expires_at)


def _live(key: ApiKey) -> bool:
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now())


def _note_use(key: ApiKey, text: str) -> None:
    """At most one write a minute and key, however busy it is. Its hash moves on to today's SECRET_KEY with it."""
    stale = now() - LAST_USE_RESOLUTION
    if key.last_used_at is None or key.last_used_at < stale:
        unused = Q(last_used_at=None) | Q(last_used_at__lt=stale)
        ApiKey.objects.filter(unused, pk=key.pk).update(last_used_at=now(), digest=keys.digest(text))


def note_uses(records: Iterable[KeyRecord], *, digest: str | None = None) -> None:
    """Say of keys that they are used; at most one write a minute and key. `digest`: as in `_note_use`, of one key."""
    stale = now() - LAST_USE_RESOLUTION
    ids = [record.id for record in records if record.last_used_at is None or record.last_used_at < stale]
    if ids:
        unused = Q(last_used_at=None) | Q(last_used_at__lt=stale)
        changes = {"last_used_at": now()} | ({"digest": digest} if digest else {})
        ApiKey.objects.filter(unused, pk__in=ids).update(**changes)


def project_named(name: str) -> Project | None:
    return Project.objects.filter(name=name).first()


def project_by_name_or_id(text: str) -> Project | None:
    """As people name it on a command line."""
    try:
        return Project.objects.filter(pk=decode("prj", text)).first() or project_named(text)
    except InvalidId:
        return project_named(text)


def events_this_month(project: Project) -> int | None:
    """Accepted so far, in UTC; None where no quota counts them."""
    if not quotas_of(project).events_per_month:
        return None
    used = Usage.objects.filter(project=project, month=now().date().replace(day=1))
    return used.values_list("events", flat=True).first() or 0


def api_keys(project: Project) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(project=project)


def memberships(project: Project) -> QuerySet[Membership]:
    return Membership.objects.filter(project=project).select_related("user", "role")
