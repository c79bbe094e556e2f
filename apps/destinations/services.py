"""Writes of consumers and destinations. Secrets have their own page, secrets.py."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.accounts.egress import EgressRules, parse_rules
from apps.accounts.models import Project
from apps.accounts.quotas import over_quota, quotas_of
from apps.accounts.services import project_touch
from apps.audit.services import SYSTEM, Actor, admin_log_blank, audit_blank, audit_record
from apps.destinations.kinds import Kind, SigningKey, kind_named
from apps.destinations.models import Consumer, Destination, Ordering, Secret, Status
from apps.destinations.policy import changed_policy
from apps.destinations.prefixes import refuse_collision
from apps.destinations.routing.filters import check_filter
from apps.destinations.routing.transforms import check_transform
from apps.destinations.sealing import seal
from apps.destinations.secrets import keys_complete
from apps.destinations.selectors import config_of, consumer_named, destinations, destinations_to_blank
from apps.kernel.clock import now
from apps.kernel.contention import in_transaction
from apps.kernel.errors import Conflict, Fault, Invalid, NotFound
from apps.kernel.ids import encode, new_uuid

BLANKED = ("name", "summary", "filter", "transform", "policy", "event_types", "sealed_config", "deleted_at")
MOST_OPERATIONAL = 20  # of one consumer, or of none
MOST_ORDERED_FILTERS = 100  # of a project
CONFIGURED = ("sealed_config", "summary")  # written only where it is changed: it may be sealed anew at this moment
CHANGEABLE = ("event_types", "name", "policy", "filter", "transform")


@transaction.atomic
def consumer_create(*, project: Project, key: str, actor: Actor, name: str = "") -> Consumer:
    project_touch(project)  # also the lock that makes the check below hold
    if Consumer.objects.filter(project=project, key=key).exists():
        fault = Fault("/key", "is taken", "already_exists")
        raise Conflict(f"there is a consumer {key!r} already", code="already_exists", faults=[fault])
    consumer = Consumer.objects.create(project=project, key=key, name=name)
    _audit(consumer, "consumer.created", actor, {"key": key})
    return consumer


@transaction.atomic
def consumer_change(*, consumer: Consumer, name: str, actor: Actor) -> Consumer:
    consumer.name = name
    consumer.save(update_fields=["name"])
    _audit(consumer, "consumer.changed", actor, {"name": name})
    return consumer


@transaction.atomic
def consumer_delete(*, consumer: Consumer, actor: Actor) -> None:
    """Refused while destinations are its own, and while it is being erased: its row says what is to be."""
    project_touch(consumer.project)
    if Consumer.objects.filter(pk=consumer.pk, being_erased=True).exists():
        raise Conflict("it is being erased, and goes with all that is its own", code="being_erased")
    if consumer.destinations.filter(deleted_at=None).exists():
        raise Conflict("delete the consumer's destinations first", code="has_destinations")
    consumer.destinations.update(consumer=None)
    _audit(consumer, "consumer.deleted", actor, {"key": consumer.key})
    consumer.delete()


def destination_create(
    *,
    project: Project,
    kind: str,
    config: Mapping[str, Any],
    event_types: Sequence[str],
    actor: Actor,
    consumer: str | None = None,
    name: str = "",
    secret: SigningKey | None = None,
    policy: Mapping[str, Any] | None = None,
    ordering: str = Ordering.NONE,
    operational: bool = False,
    filter: str | None = None,
    transform: Mapping[str, Any] | None = None,
) -> tuple[Destination, str]:
    """The destination and its signing secret's text: empty for a kind that does not sign, or that signs `v1a` alone.

    An unknown consumer key makes that consumer.
    """
    kept = changed_policy({}, policy or {})
    _refuse_unfit(kind_named(kind), operational=operational, has_secret=secret is not None)
    _refuse_routing(operational, filter=filter, transform=transform)
    _refuse_poison(kept, ordering)
    routing = _routing(ordering, filter=filter or "", transform=transform or {})
    clean = kind_named(kind).clean(config, _egress_of(project))  # may ask the DNS: before the transaction
    with transaction.atomic():
        project_touch(project)
        _refuse_too_many(project)
        destination = Destination(id=new_uuid(), project=project, kind=kind, name=name, event_types=list(event_types))
        destination.policy, destination.ordering, destination.operational = kept, ordering, operational
        _set(destination, routing)
        destination.consumer = _consumer_for(project, consumer, actor)
        _refuse_too_many_operational(destination)
        _refuse_too_many_filters(destination)
        _configure(destination, clean)
        destination.save(force_insert=True)
        refuse_collision(destination.policy, clean)
        text = keys_complete(destination, secret).secret
        changes = {"to": destination.summary, "event_types": event_types, **_told(routing)}
        _audit(destination, "destination.created", actor, changes)
    return destination, text


def _refuse_unfit(kind: Kind, *, operational: bool, has_secret: bool) -> None:
    faults = []
    if why := kind.unavailable():
        faults.append(Fault("/kind", why, "not_configured"))
    if not operational and not kind.takes_events:
        faults.append(Fault("/operational", f"must be true: {kind.name} is for operational events only"))
    if has_secret and not kind.signs:
        faults.append(Fault("/secret", f"deliveries of the kind {kind.name} are not signed", "not_signed"))
    if faults:
        raise Invalid("there can be no such destination here", faults=faults)


def _refuse_routing(operational: bool, **given: object) -> None:
    """What Trunkline says is in its own words, also because it may be said in the operator's name."""
    if operational and (names := [name for name, value in given.items() if value]):
        faults = [Fault(f"/{name}", "is for destinations of events only", "operational") for name in names]
        raise Invalid("operational events are neither filtered nor transformed", faults=faults)


def _refuse_too_many(project: Project) -> None:
    """Under the project's lock, so that two at the same moment can't both be the last one."""
    limit = quotas_of(project).destinations
    if limit and destinations(project).count() >= limit:
        detail = f"the project has {limit:,} destinations, which is its quota; delete those not in use"
        raise over_quota(Conflict, "destinations", limit, detail)


def _refuse_too_many_operational(destination: Destination) -> None:
    """Each of them multiplies every notice, and letters go to anybody; under the project's lock."""
    theirs = Destination.objects.filter(operational=True, project=destination.project, deleted_at=None)
    others = theirs.filter(consumer=destination.consumer)
    if (
        not kind_named(destination.kind).takes_events
        and theirs.filter(kind=destination.kind).count() >= MOST_OPERATIONAL
    ):
        raise Conflict(
            f"the project has {MOST_OPERATIONAL} destinations of the kind {destination.kind} already",
            code="too_many_operational",
        )
    if destination.operational and others.count() >= MOST_OPERATIONAL:
        raise Conflict(
            f"there are {MOST_OPERATIONAL} operational destinations of this consumer, or of none, already",
            code="too_many_operational",
        )


def _refuse_too_many_filters(destination: Destination) -> None:
    """Those of ordered destinations are evaluated while the event comes in; under the project's lock."""
    others = Destination.objects.filter(project=destination.project_id, ordering=Ordering.PER_KEY, deleted_at=None)
    is_one = destination.filter and destination.ordering == Ordering.PER_KEY
    if is_one and others.exclude(filter="").exclude(pk=destination.pk).count() >= MOST_ORDERED_FILTERS:
        raise Conflict(
            f"the project has {MOST_ORDERED_FILTERS} ordered destinations with a filter, the most there can be",
            code="too_many_filters",
        )


def destination_change(
    *,
    destination: Destination,
    actor: Actor,
    config: Mapping[str, Any] | None = None,
    event_types: Sequence[str] | None = None,
    name: str | None = None,
    policy: Mapping[str, Any] | None = None,
    filter: str | None = None,
    transform: Mapping[str, Any] | None = None,
) -> Destination:
    """Change what is given; `config` and `policy` hold the fields to replace, an empty filter or transform is none.

    Raises NotFound where it was deleted meanwhile.
    """
    _refuse_routing(destination.operational, filter=filter, transform=transform)
    routing = _routing(destination.ordering, filter=filter, transform=transform)
    clean = _changed(destination, config) if config else None  # may ask the DNS: before the transaction
    with transaction.atomic():
        current = _locked(destination)
        if clean is not None:
            if current.sealed_config != destination.sealed_config:
                raise Conflict("somebody changed it at the same moment; look, and try again", code="changed_meanwhile")
            _configure(current, clean)
        if event_types is not None:
            current.event_types = list(event_types)
        if name is not None:
            current.name = name
        if policy is not None:
            current.policy = changed_policy(current.policy, policy)
            _refuse_poison(current.policy, current.ordering)
            keys_complete(current)
        if policy is not None or clean is not None:
            refuse_collision(current.policy, clean or config_of(current))
        _set(current, routing)
        _refuse_too_many_filters(current)
        current.updated_at = now()
        current.save(update_fields=[*CHANGEABLE, "updated_at", *(CONFIGURED if clean is not None else ())])
        changes = {"to": current.summary, "event_types": current.event_types, **_told(routing)}
        _audit(current, "destination.changed", actor, changes)
    return current


def _refuse_poison(policy: Mapping[str, Any], ordering: str) -> None:
    if policy.get("poison") and ordering != Ordering.PER_KEY:
        fault = Fault("/policy/poison", 'is for destinations with `"ordering": "per_key"` only', "not_ordered")
        raise Invalid("nothing waits for a poison event here", faults=[fault])


def _routing(ordering: str, *, filter: str | None, transform: Mapping[str, Any] | None) -> dict[str, Any]:
    """What is given of the two as it is stored. Starts a process: before the transaction."""
    checked: dict[str, Any] = {}
    if filter is not None:
        checked["filter"] = check_filter(filter, is_ordered=ordering == Ordering.PER_KEY)
    if transform is not None:
        checked["transform"] = check_transform(transform)
    return checked


def _told(routing: Mapping[str, Any]) -> dict[str, Any]:
    """For the audit: a transformation may be long."""
    return {name: value if name == "filter" else sorted(value) for name, value in routing.items()}


def _set(destination: Destination, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(destination, name, value)


def _locked(destination: Destination) -> Destination:
    """The row as it is now, under the project's lock, so that nothing written meanwhile is written over."""
    project_touch(destination.project)
    rows = Destination.objects.filter(pk=destination.pk, deleted_at=None)
    list(rows.select_for_update().values_list("pk"))  # apart from its consumer, which it need not have
    if (found := rows.select_related("consumer", "project").first()) is None:
        raise NotFound("it was deleted")
    return found


def destination_pause(*, destination: Destination, actor: Actor) -> Destination:
    """Hold its deliveries: they are made, and wait."""
    return _set_status(destination, Status.PAUSED, "paused_by_person", actor)


def destination_resume(*, destination: Destination, actor: Actor) -> Destination:
    """Let it have its deliveries again, whether it was paused or disabled."""
    return _set_status(destination, Status.ENABLED, "", actor)


def destinations_hold(destination_ids: Collection[UUID]) -> frozenset[UUID]:
    """Lock those of them that can be disabled, for one who also locks deliveries of theirs and is to do this first.

    So does whoever replays to them. The order is: projects, destinations, deliveries, breakers.
    """
    if not destination_ids:
        return frozenset()
    there = Destination.objects.filter(pk__in=destination_ids, deleted_at=None).exclude(status=Status.DISABLED)
    rows = list(there.select_related("project").order_by("project_id"))
    for project in {row.project_id: row.project for row in rows}.values():
        project_touch(project)
    ids = [row.pk for row in rows]
    held = Destination.objects.filter(pk__in=ids).order_by("pk").select_for_update()
    return frozenset(held.values_list("pk", flat=True))


@transaction.atomic
def destination_disable(*, destination_id: UUID, reason: str) -> bool:
    """Trunkline itself gives up on it, for example because it answered 410 Gone.

    Whether this call did it: not where it was deleted or disabled already, by another engine at this very moment too.
    """
    there = Destination.objects.filter(pk=destination_id, deleted_at=None).exclude(status=Status.DISABLED)
    if (destination := there.select_related("project").first()) is None:
        return False
    project_touch(destination.project)
    if not there.exists():
        return False
    _set_status(destination, Status.DISABLED, reason, SYSTEM)
    return True


@in_transaction
def destination_delete(*, destination: Destination, actor: Actor) -> None:
    """It leaves all lists and gets nothing more; its secrets and config are erased."""
    destination = _locked(destination)
    destination.secrets.all().delete()
    destination.deleted_at = now()
    destination.sealed_config = seal(b"{}", purpose="config", row=destination.pk)
    destination.save(update_fields=["deleted_at", "sealed_config"])
    _audit(destination, "destination.deleted", actor, {"to": destination.summary})


def consumer_mark(*, consumer_id: UUID, being_erased: bool) -> bool:
    """Say whether an operation that erases it is open. In the caller's transaction; False where it is gone."""
    rows = Consumer.objects.filter(pk=consumer_id)
    rows.update(being_erased=being_erased)
    return rows.exists()


def destinations_blank(*, consumer: Consumer, limit: int) -> int:
    """Of a consumer that is being erased: delete its destinations with all that they say of it; returns how many.

    In the caller's transaction. The rows stay without a word in them, for what names their ids.
    """
    rows = list(destinations_to_blank(consumer).order_by("pk")[:limit])
    if rows:
        project_touch(consumer.project)
        Secret.objects.filter(destination__in=rows).delete()
    for row in rows:
        row.name, row.summary, row.filter, row.transform, row.policy, row.event_types = "", "", "", {}, {}, []
        row.sealed_config = seal(b"{}", purpose="config", row=row.pk)
        row.deleted_at = row.deleted_at or now()
        row.save(update_fields=BLANKED)
    return len(rows)


def consumer_forget(*, consumer: Consumer) -> None:
    """The end of its erasure, in the caller's transaction: the row goes, and what is said of it by its id."""
    gone = list(consumer.destinations.values_list("pk", flat=True))
    targets = [consumer.public_id, *(encode("dst", pk) for pk in gone)]
    audit_blank(project_id=consumer.project_id, targets=targets)
    admin_log_blank([consumer.pk, *gone])
    consumer.destinations.update(consumer=None)
    _audit(consumer, "consumer.erased", SYSTEM, {})
    consumer.delete()


@in_transaction
def _set_status(destination: Destination, status: Status, reason: str, actor: Actor) -> Destination:
    destination = _locked(destination)
    destination.status, destination.status_reason, destination.status_at = status, reason, now()
    destination.save(update_fields=["status", "status_reason", "status_at"])
    _audit(destination, f"destination.{status}", actor, {"reason": reason} if reason else {})
    return destination


def _changed(destination: Destination, given: Mapping[str, Any]) -> dict[str, Any]:
    kind = kind_named(destination.kind)
    before = config_of(destination)
    return kind.clean(kind.change(before, given), _egress_of(destination.project), before=before)


def _egress_of(project: Project) -> EgressRules | None:
    """The rules as they are now: the project at hand may have been read a while ago."""
    stored = Project.objects.values_list("egress", flat=True).get(pk=project.pk)
    return parse_rules(stored) if stored else None


def _configure(destination: Destination, clean: dict[str, Any]) -> None:
    plain = json.dumps(clean).encode()
    destination.sealed_config = seal(plain, purpose="config", row=destination.pk)
    destination.summary = kind_named(destination.kind).summary(clean)[:255]


def _consumer_for(project: Project, key_or_id: str | None, actor: Actor) -> Consumer | None:
    if not key_or_id:
        return None
    found = consumer_named(project, key_or_id)
    if found is None and key_or_id.startswith("con_"):
        raise Invalid("unknown consumer", faults=[Fault("/consumer", "there is no such consumer", "not_found")])
    return found or consumer_create(project=project, key=key_or_id, actor=actor)


def _audit(row: Consumer | Destination, action: str, actor: Actor, changes: Mapping[str, Any]) -> None:
    audit_record(actor=actor, action=action, target=row.public_id, project_id=row.project_id, changes=changes)
