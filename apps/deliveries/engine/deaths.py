"""What attempts have to tell of deliveries that died of them."""

from collections.abc import Iterable
from typing import Any

from apps.deliveries.engine.attempt import Attempted
from apps.deliveries.models import Delivery
from apps.deliveries.notices import DEAD, Notice
from apps.deliveries.states import TRANSITIONS, State
from apps.events.models import Event
from apps.kernel.ids import encode

DEADLY = frozenset(edge for (state, edge), to in TRANSITIONS.items() if state is State.SENDING and to is State.DEAD)


def notices_of(attempts: Iterable[Attempted]) -> list[Notice]:
    """One for each that died. To be told in the transaction that wrote the attempts."""
    return [_dead(one) for one in attempts if one.decision.edge in DEADLY]


def given_up(deliveries: Iterable[Delivery]) -> list[Notice]:
    """The same of those that died with their engines."""
    rows = list(deliveries)
    types = dict(Event.objects.filter(pk__in={one.event_id for one in rows}).values_list("pk", "type"))
    return [_given_up(one, types.get(one.event_id, "")) for one in rows]


def _given_up(one: Delivery, event_type: str) -> Notice:
    data = {
        "delivery": one.public_id,
        "event": encode("evt", one.event_id),
        "last_status_code": one.last_status_code,
        "last_error": one.last_error,
        "event_type": event_type,
        "reason": one.reason,
        "attempts": one.attempts,
    }
    return Notice(one.project_id, DEAD, one.destination_id, data)


def _dead(one: Attempted) -> Notice:
    parcel = one.parcel
    data = {
        **shown_by(one),
        "event_type": parcel.event_type,
        "reason": one.decision.edge.value,
        "attempts": parcel.number,
    }
    return Notice(parcel.project_id, DEAD, parcel.destination_id, data)


def shown_by(one: Attempted) -> dict[str, Any]:
    """Which delivery it was, and what was answered."""
    return {
        "delivery": encode("dlv", one.parcel.delivery_id),
        "event": one.parcel.message.id,
        "last_status_code": one.outcome.status_code,
        "last_error": one.outcome.error[:32],
    }
