"""What people do to deliveries: retry, cancel, discard, replay, recover."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from apps.audit.services import Actor, audit_record
from apps.deliveries import store
from apps.deliveries.fan_out import INLINE, fan_out_again
from apps.deliveries.inserts import deliveries_insert, rows_for
from apps.deliveries.models import Delivery, Operation
from apps.deliveries.operations.services import operation_create, refuse_other_consumer
from apps.deliveries.states import FINAL, Edge, State
from apps.deliveries.wakeups import announce
from apps.destinations.kinds import kind_named
from apps.destinations.letters import letters_admit
from apps.destinations.models import Destination
from apps.destinations.selectors import wanting
from apps.events.models import Event
from apps.events.store import EventRow, events_insert
from apps.kernel.clock import isoformat, now
from apps.kernel.contention import in_transaction
from apps.kernel.errors import Conflict, NotFound
from apps.kernel.ids import first_id, new_uuid

BETWEEN_LETTERS = timedelta(minutes=1)
TEST_TYPE = "trunkline.test"


@in_transaction
def delivery_retry(*, delivery: Delivery, actor: Actor) -> Delivery:
    """Send it now: one that waits is due at once, a final one starts anew.

    One in flight is a Conflict, and so are one whose event has lost its data, and one letter too many.
    """
    letters_admit(project_id=delivery.project_id, destination_ids=[delivery.destination_id])
    row = Delivery.objects.filter(pk=delivery.pk)
    moved = store.replay(row, now=now()) or store.hasten(row, now=now())
    announce([delivery.destination_id])
    _refresh(delivery)
    if not moved and delivery.state == State.SENDING:
        raise Conflict("it is being sent at this moment", code="sending")
    if not moved and delivery.state in FINAL:
        raise _payload_expired()
    _audit(delivery, "delivery.retried", actor)
    return delivery


@in_transaction
def delivery_cancel(*, delivery: Delivery, actor: Actor) -> Delivery:
    """Send it no more. Cancelling a cancelled one is fine; a delivered or dead one is a Conflict."""
    moved = store.cancel(Delivery.objects.filter(pk=delivery.pk), now=now())
    _refresh(delivery)
    if not moved and delivery.state != State.CANCELLED:
        raise Conflict(f"it is {delivery.state} already", code=delivery.state)
    if moved:
        _audit(delivery, "delivery.cancelled", actor)
    return delivery


@in_transaction
def delivery_discard(*, delivery: Delivery, actor: Actor) -> Delivery:
    """Take it out of the queue of the dead. One that is cancelled already is fine; any other is a Conflict."""
    moved = store.discard(Delivery.objects.filter(pk=delivery.pk), now=now())
    _refresh(delivery)
    if not moved and delivery.state != State.CANCELLED:
        raise Conflict(f"it is {delivery.state}, not dead", code="not_dead")
    if moved:
        _audit(delivery, "delivery.discarded", actor)
    return delivery


def _refresh(delivery: Delivery) -> None:
    """Raises NotFound where it was pruned at this very moment."""
    try:
        delivery.refresh_from_db()
    except Delivery.DoesNotExist:
        raise NotFound("it is gone: its event was beyond the project's retention") from None


@in_transaction
def event_replay(*, event: Event, destination_ids: Collection[UUID], actor: Actor) -> list[Delivery]:
    """Deliver the event to these destinations again, or for the first time. One in flight or waiting is left to it.

    Raises Invalid where one is another consumer's, Conflict where letters are too many.
    """
    ids = list(destination_ids)
    _refuse_other_plane(event, ids)
    letters_admit(project_id=event.project_id, destination_ids=ids)
    _hold(event)
    for destination in Destination.objects.filter(pk__in=ids, consumer__isnull=False).select_related("consumer"):
        refuse_other_consumer(destination, event.consumer)
    rows = store.deliveries_for(event, ids)
    for row in rows:
        row.due_at = row.created_at = now()
        row.reason = Edge.REPLAYED
    made = {row.pk for row in rows}
    Delivery.objects.bulk_create(rows, ignore_conflicts=True)  # those it never went to
    _join_lines(made, event)
    wanted = Delivery.objects.filter(event=event, destination__in=ids)
    store.replay(wanted.exclude(pk__in=made), now=now())
    announce(ids)
    audit_record(actor=actor, action="event.replayed", target=event.public_id, project_id=event.project_id)
    return list(wanted)


def _join_lines(made: Collection[UUID], event: Event) -> None:
    rows = list(Delivery.objects.filter(pk__in=made))
    store.join_lines(rows, {event.pk: event.ordering_key})


@in_transaction
def event_replay_to_all(*, event: Event, actor: Actor) -> list[Delivery] | None:
    """The same to all that want it now; None where it is left to the engines.

    So it is where they are more than INLINE, or have filters that may take long.
    """
    found = wanting(event.project_id, event, most=INLINE + 1, operational=event.is_operational)
    if len(found.wanting) <= INLINE and not found.undecided:
        return event_replay(event=event, destination_ids=found.wanting, actor=actor)
    _hold(event)
    fan_out_again(event)
    audit_record(actor=actor, action="event.replayed", target=event.public_id, project_id=event.project_id)
    return None


def _refuse_other_plane(event: Event, destination_ids: Sequence[UUID]) -> None:
    """Operational destinations get operational events, and the others all others."""
    if Destination.objects.filter(pk__in=destination_ids, operational=not event.is_operational).exists():
        wants = "only producers' events" if event.is_operational else "only operational events"
        raise Conflict(f"the destination gets {wants}", code="other_events")


def _hold(event: Event) -> None:
    """Until the transaction's end nobody prunes it. Raises NotFound where somebody just did, Conflict for its data."""
    found = list(Event.objects.select_for_update().filter(pk=event.pk).values_list("erased_at", flat=True))
    if not found:
        raise NotFound("it is gone: it was beyond the project's retention")
    if found[0] is not None:
        raise _payload_expired()


def _payload_expired() -> Conflict:
    detail = "its data was erased, as the project's settings say; there is nothing left to send"
    return Conflict(detail, code="payload_expired")


def destination_recover(*, destination: Destination, since: datetime, actor: Actor) -> Operation:
    """Replay all that died at the destination since a time. Few are done at once; of more, engines do the rest."""
    return operation_create(
        project=destination.project,
        kind="recover",
        parameters={"destination": destination.public_id, "since": isoformat(since)},
        actor=actor,
        begin=True,
    )


def _audit(delivery: Delivery, action: str, actor: Actor) -> None:
    audit_record(actor=actor, action=action, target=delivery.public_id, project_id=delivery.project_id)


def _refuse_haste(destination: Destination, moment: datetime) -> None:
    """Letters go to whomever the destination names. Holds its row, so that of two at once one sees the other's."""
    if kind_named(destination.kind).takes_events:
        return
    rows = Destination.objects.select_for_update().filter(pk=destination.pk, deleted_at=None)
    if not list(rows.values_list("pk")):
        raise NotFound("it was deleted")
    tests = Delivery.objects.filter(destination=destination, event__type=TEST_TYPE)
    if tests.filter(pk__gte=first_id(moment - BETWEEN_LETTERS)).exists():
        raise Conflict("it was sent a test within the last minute; wait a minute", code="too_soon")


@in_transaction
def destination_test(*, destination: Destination, actor: Actor) -> Delivery:
    """Send the destination a test event, whatever it subscribes to; returns the delivery to watch.

    A Conflict where it is a letter, and there was another test within the minute, or too many letters to anybody.
    """
    moment = now()
    letters_admit(project_id=destination.project_id, destination_ids=[destination.pk])
    _refuse_haste(destination, moment)
    data = {"message": "This is a test event from Trunkline.", "destination": destination.public_id}
    event = EventRow(
        id=new_uuid(),
        project_id=destination.project_id,
        type=TEST_TYPE,
        time=moment,
        data=json.dumps(data).encode(),
        received_at=moment,
    )
    events_insert([event])
    [row] = rows_for(event, [destination.pk])
    deliveries_insert([row], {event.id: event.ordering_key})
    announce([destination.pk])
    delivery = Delivery.objects.get(pk=row.id)
    _audit(delivery, "destination.tested", actor)
    return delivery
