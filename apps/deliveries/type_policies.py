"""Policies of event types: how their events are delivered where a destination does not say. Reads and writes."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from django.db import transaction

from apps.accounts.services import project_touch
from apps.audit.services import Actor, audit_record
from apps.deliveries.models import TypePolicy
from apps.destinations.policy import Policy, as_stored, parse_policy
from apps.events.models import EventType
from apps.kernel.errors import Fault, Invalid

COUNTING = frozenset({"retry", "timeout"})  # what an event type may say


def policies_of_types() -> dict[tuple[UUID, str], Policy]:
    """All there are, by project and name of the type: few projects have any."""
    rows = TypePolicy.objects.values_list("event_type__project_id", "event_type__name", "policy")
    return {(project_id, name): msgspec.convert(policy, Policy) for project_id, name, policy in rows if policy}


def type_policy(event_type: EventType) -> dict[str, Any]:
    """Empty where it has none."""
    found = TypePolicy.objects.filter(pk=event_type.pk).values_list("policy", flat=True).first()
    return found or {}


@transaction.atomic
def type_policy_set(*, event_type: EventType, policy: Mapping[str, Any], actor: Actor) -> dict[str, Any]:
    """Put the whole policy; engines go by it within two seconds. Raises Invalid."""
    if others := sorted(set(policy) - COUNTING):
        faults = [Fault(f"/{name}", "an event type has only retry and timeout") for name in others]
        raise Invalid("the policy is not valid", faults=faults)
    kept = as_stored(parse_policy(policy, pointer=""))
    project_touch(event_type.project)
    TypePolicy.objects.update_or_create(event_type=event_type, defaults={"policy": kept})
    _audit(event_type, "event_type.policy_set", actor, kept)
    return kept


@transaction.atomic
def type_policy_delete(*, event_type: EventType, actor: Actor) -> None:
    """Let the defaults count again. Deleting none is fine."""
    project_touch(event_type.project)
    if TypePolicy.objects.filter(pk=event_type.pk).delete()[0]:
        _audit(event_type, "event_type.policy_deleted", actor, {})


def _audit(event_type: EventType, action: str, actor: Actor, changes: Mapping[str, Any]) -> None:
    audit_record(
        actor=actor, action=action, target=event_type.public_id, project_id=event_type.project_id, changes=changes
    )
