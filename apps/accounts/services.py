"""Writes of accounts: projects, API keys, members, users."""

import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from apps.accounts import keys
from apps.accounts.changes import note_change
from apps.accounts.egress import changed_rules, parse_rules
from apps.accounts.models import ApiKey, Membership, Project, User
from apps.accounts.quotas import LARGEST_QUOTAS
from apps.accounts.roles import role_named, role_scopes
from apps.accounts.scopes import OWNER, ROLES, SCOPES
from apps.audit.services import Actor, audit_record
from apps.kernel.clock import now
from apps.kernel.errors import Conflict, Fault, Forbidden, Invalid

LONGEST_NAME = 100  # of a project
LONGEST_RETENTION = {"retention_days": 36_500, "retention_events": 10**12, "payload_days": 36_500}
LARGEST = {**LONGEST_RETENTION, **LARGEST_QUOTAS}


@transaction.atomic
def project_create(*, name: str, actor: Actor, **settings: Any) -> Project:
    """A new project; its name must be free. `settings` as for `project_change`. Raises Invalid."""
    if not (name.isprintable() and name.strip() and len(name) <= LONGEST_NAME):
        fault = Fault("/name", f"must be 1 to {LONGEST_NAME} printable characters")
        raise Invalid(f"a project's name {fault.detail}", faults=[fault])
    _refuse_bad_numbers(settings)
    project = Project.objects.create(name=name, **settings)
    audit_record(actor=actor, action="project.created", target=project.public_id, project_id=project.id)
    return project


@transaction.atomic
def project_change(*, project: Project, actor: Actor, **changes: Any) -> None:
    """Set `name`, `require_registered_types`, what is kept how long, `egress`, or quotas. Raises Invalid.

    Quotas are for staff to set: a door that members come in by must not let them through.
    """
    _refuse_bad_numbers(changes)
    parse_rules(changes.get("egress", {}))
    for name, value in changes.items():
        setattr(project, name, value)
    project.save(update_fields=list(changes))
    project_touch(project)
    audit_record(
        actor=actor, action="project.changed", target=project.public_id, project_id=project.pk, changes=changes
    )


@transaction.atomic
def project_egress_change(*, project: Project, actor: Actor, given: Mapping[str, Any]) -> Project:
    """Replace the fields of its egress rules that are given; null takes one out. Raises Invalid."""
    project_touch(project)  # the lock: two changes follow one another
    current = Project.objects.get(pk=project.pk)
    project_change(project=current, actor=actor, egress=changed_rules(current.egress, given))
    return current


def _refuse_bad_numbers(settings: Mapping[str, Any]) -> None:
    faults = [
        Fault(f"/{name}", f"must be a number from 0 to {most}")
        for name, most in LARGEST.items()
        if (value := settings.get(name)) is not None and not 0 <= value <= most
    ]
    if faults:
        raise Invalid(f"{faults[0].pointer[1:]} {faults[0].detail}", faults=faults)


def project_touch(project: Project) -> None:
    """Say that something the intake caches has changed. In the transaction of that change.

    Also takes the project's row lock, so that two such changes to one project follow one another.
    """
    Project.objects.filter(pk=project.pk).update(catalog_version=F("catalog_version") + 1)
    note_change()


def project_hold(project_id: UUID) -> None:
    """Its row lock until the transaction's end, where nothing that is cached changes. As in `project_touch`, by a
    write: on PostgreSQL, rows that only name the project are written meanwhile."""
    Project.objects.filter(pk=project_id).update(catalog_version=F("catalog_version"))


@transaction.atomic
def api_key_create(
    *,
    project: Project,
    name: str,
    actor: Actor,
    scopes: Iterable[str] = tuple(SCOPES),
    granted: Iterable[str] | None = None,
    expires_at: datetime | None = None,
    latest: datetime | None = None,
) -> tuple[ApiKey, str]:
    """The key's row and its text, which is not kept.

    `granted` is what the maker holds, and so may hand on; `latest`, when the maker's own credentials end.
    """
    expires_at = min(filter(None, (expires_at, latest)), default=None)
    scopes = sorted(set(scopes))
    _refuse_unknown_scopes(scopes)
    _refuse_beyond(scopes, granted)
    new = keys.new_key()
    key = ApiKey.objects.create(
        project=project, name=name, prefix=new.prefix, digest=new.digest, scopes=scopes, expires_at=expires_at
    )
    changes = {"name": name, "scopes": scopes, "expires_at": expires_at and expires_at.isoformat()}
    audit_record(actor=actor, action="api_key.created", target=key.public_id, project_id=project.id, changes=changes)
    return key, new.text


def _refuse_beyond(scopes: Iterable[str], granted: Iterable[str] | None) -> None:
    if granted is not None and (beyond := set(scopes) - set(granted)):
        raise Forbidden(f"you can't hand on what you don't hold: {', '.join(sorted(beyond))}", code="scope_missing")


def _refuse_unknown_scopes(scopes: Iterable[str]) -> None:
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown:
        known = ", ".join(SCOPES)
        raise Invalid(
            "unknown scopes", faults=[Fault("/scopes", f"{s!r} is no scope; there are {known}") for s in unknown]
        )


@transaction.atomic
def api_key_revoke(*, key: ApiKey, actor: Actor) -> None:
    """From the next request on it opens nothing; its row stays. Revoking twice is once."""
    revoked = ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now())
    note_change()
    if revoked:
        audit_record(actor=actor, action="api_key.revoked", target=key.public_id, project_id=key.project_id)


@transaction.atomic
def member_add(
    *, project: Project, email: str, role: str, actor: Actor, granted: Iterable[str] | None = None
) -> Membership:
    """Makes the user when the address is new; they set a password by way of staff. `granted` as for API keys."""
    _refuse_beyond(_scopes_of(role), granted)
    user = User.objects.filter(email=email.strip().lower()).first() or User.objects.create_user(email)
    if Membership.objects.filter(project=project, user=user).exists():
        raise Conflict(f"{user.email} is a member already", code="already_member")
    membership = Membership.objects.create(project=project, user=user, role=role_named(_known(role)))
    _audit_member(membership, "member.added", actor)
    return membership


@transaction.atomic
def member_change(
    *, membership: Membership, role: str, actor: Actor, granted: Iterable[str] | None = None
) -> Membership:
    """Give a member another role; a project keeps at least one owner. Nobody moves those who may do more."""
    _refuse_beyond(_scopes_of(role), granted)
    _refuse_beyond(role_scopes([membership.role]), granted)
    if role != OWNER:
        _refuse_last_owner(membership)
    membership.role = role_named(_known(role))
    membership.save(update_fields=["role"])
    _audit_member(membership, "member.changed", actor)
    return membership


@transaction.atomic
def member_remove(*, membership: Membership, actor: Actor, granted: Iterable[str] | None = None) -> None:
    """Nobody removes those who may do more; a project keeps at least one owner."""
    _refuse_beyond(role_scopes([membership.role]), granted)
    _refuse_last_owner(membership)
    _audit_member(membership, "member.removed", actor)
    membership.delete()


def _scopes_of(role: str) -> frozenset[str]:
    return role_scopes([role_named(_known(role))])


def _known(role: str) -> str:
    if role not in ROLES:
        raise Invalid("unknown role", faults=[Fault("/role", f"must be one of {', '.join(ROLES)}")])
    return role


def _refuse_last_owner(membership: Membership) -> None:
    # Locks the project's owners, so that two requests can't each remove "the other" owner.
    owners = Membership.objects.select_for_update().filter(project=membership.project_id, role__name=OWNER)
    if [owner.pk for owner in owners] == [membership.pk]:
        raise Conflict("a project keeps at least one owner", code="last_owner")


def _audit_member(membership: Membership, action: str, actor: Actor) -> None:
    changes = {"email": membership.user.email, "role": membership.role.name}
    audit_record(
        actor=actor,
        action=action,
        target=membership.public_id,
        project_id=membership.project_id,
        changes=changes,
    )


@transaction.atomic
def first_superuser_create(*, email: str) -> str | None:
    """The first login's random password, or None when somebody can log in already."""
    if User.objects.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    User.objects.create_superuser(email, password)
    return password
