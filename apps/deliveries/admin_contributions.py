"""What deliveries add to the pages of events and destinations: replay, test, preview, recover and so on."""

from datetime import timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponseBase
from django.template.loader import render_to_string
from django.urls import reverse

from apps.audit.services import Actor
from apps.deliveries.admin_colours import CIRCUIT_COLOURS, COLOURS
from apps.deliveries.admin_operation_forms import TimeRangeForm, stated
from apps.deliveries.breakers import breaker_of, breaker_reset
from apps.deliveries.operations.erasure_request import SCOPES, consumer_erase
from apps.deliveries.operations.services import operation_create
from apps.deliveries.policy.breaker import Circuit
from apps.deliveries.preview import preview as previewed
from apps.deliveries.services import destination_recover, destination_test, event_replay_to_all
from apps.deliveries.states import State
from apps.destinations.models import Consumer, Destination
from apps.destinations.routing.filters import LONGEST
from apps.events.models import Event
from apps.events.selectors import events
from apps.kernel.admin import DialogForm, Section, acting, badge, extend_page, id_link, moment, row_action, row_link
from apps.kernel.admin.unfold import Select, Textarea, TextInput
from apps.kernel.clock import now
from apps.kernel.errors import Conflict, NotFound
from apps.kernel.ids import InvalidId, decode

MOST_SHOWN = 100  # deliveries on an event's page
CIRCUITS = {Circuit.CLOSED: "closed", Circuit.OPEN: "open", Circuit.HALF_OPEN: "half open"}
SCOPE = "deliveries:write"  # whosever page it is: what is written are deliveries


class RecoveryForm(DialogForm):
    """Since when."""

    hours = forms.TypedChoiceField(
        coerce=int,
        choices=[
            (1, "in the last hour"),
            (6, "in the last 6 hours"),
            (24, "in the last day"),
            (168, "in the last week"),
        ],
        initial=24,
        widget=Select,
        label="All that died",
    )


@row_action(
    "Replay", question="Deliver it again to all destinations that want its type now.", icon="replay", scope=SCOPE
)
def replay(page: Any, request: HttpRequest, event: Event) -> str:
    made = event_replay_to_all(event=event, actor=Actor(**acting(request)))
    if made is None:
        return f"{event.public_id}: the engines deliver it again, one after the other"
    if not made:
        raise Conflict("no destination wants this type and consumer", code="nobody_wants_it")
    return f"{event.public_id}: {len(made)} deliveries"


@row_action("Send test event", question="It is sent an event of type trunkline.test at once.", icon="send", scope=SCOPE)
def send_test(page: Any, request: HttpRequest, destination: Destination) -> str:
    delivery = destination_test(destination=_live(destination), actor=Actor(**acting(request)))
    return f"{delivery.public_id} is on its way to {destination}"


class PreviewForm(DialogForm):
    """Of which event, and with what."""

    event = forms.CharField(
        required=False, max_length=64, widget=TextInput, label="Event", help_text="evt_…; empty: the newest one"
    )
    filter = forms.CharField(
        required=False, max_length=LONGEST, widget=Textarea(attrs={"rows": 2}), help_text="Instead of its own"
    )
    transform = forms.JSONField(
        required=False, widget=Textarea(attrs={"rows": 3}), help_text="Instead of its own, as JSON"
    )


@row_action(
    "Preview",
    question="Whether the destination wants an event, and the body it would get. Nothing is sent.",
    icon="visibility",
    form=PreviewForm,
    scope="destinations:write",
)
def preview(
    page: Any, request: HttpRequest, destination: Destination, *, event: str, filter: str, transform: Any
) -> HttpResponseBase:
    row = _event_of(_live(destination), event)
    found = previewed(row, destination, filter=filter or None, transform=transform or None)
    context = {
        "found": found,
        "event": row,
        "next": reverse("admin:destinations_destination_change", args=[destination.pk]),
    }
    answer: HttpResponseBase = page.show_in_dialog(request, "admin/deliveries/preview_dialog.html", context)
    return answer


def _event_of(destination: Destination, public_id: str) -> Event:
    rows = events(destination.project)
    try:
        found = rows.filter(pk=decode("evt", public_id)) if public_id else rows.order_by("-pk")
    except InvalidId:
        found = rows.none()
    if event := found.first():
        return event
    raise NotFound("the project has no such event")


@row_action("Recover", question="Send again what was given up.", icon="restore", form=RecoveryForm, scope=SCOPE)
def recover(page: Any, request: HttpRequest, destination: Destination, *, hours: int) -> str:
    since = now() - timedelta(hours=hours)
    done = destination_recover(destination=_live(destination), since=since, actor=Actor(**acting(request)))
    rest = "" if done.finished_at else f"; {done.public_id} goes on with the rest"
    return f"{done.changed} deliveries to {destination} are due again{rest}"


@row_action(
    "Replay time range",
    question="It is sent the events of that time, again or for the first time, in the background.",
    icon="history",
    form=TimeRangeForm,
    scope=SCOPE,
)
def replay_range(page: Any, request: HttpRequest, destination: Destination, **asked: Any) -> str:
    operation = operation_create(
        project=_live(destination).project,
        kind="replay",
        parameters={"destination": destination.public_id, **stated(asked)},
        actor=Actor(**acting(request)),
    )
    return f"{operation.public_id} replays to {destination}"


@row_action(
    "Erase",
    question="All that is kept of it goes for good: its events, their deliveries, its destinations, itself.",
    icon="delete_forever",
    danger=True,
    scope="consumers:write",
)
def erase(page: Any, request: HttpRequest, consumer: Consumer) -> str:
    for needed in SCOPES:
        page.require(request, consumer, needed)
    operation = consumer_erase(consumer=consumer, actor=Actor(**acting(request)))
    return f"{consumer.public_id} is being erased by the engines ({operation.public_id})"


def _live(destination: Destination) -> Destination:
    if destination.deleted_at:
        raise Conflict("it is deleted", code="deleted")
    return destination


def deliveries_of(event: Event) -> Section:
    """The event's deliveries with their states, each with a link."""
    rows = event.deliveries.select_related("destination").defer("destination__sealed_config").order_by("pk")
    shown = [
        [
            badge(row.state, COLOURS[State(row.state)]),
            id_link("deliveries.delivery", "dlv", row.pk),
            row_link("destinations.destination", row.destination_id, str(row.destination)),
            f"{row.attempts}",
            " · ".join(str(part) for part in (row.last_status_code, row.last_error) if part) or "–",
            moment(row.due_at if row.state == State.READY else None),
        ]
        for row in rows[:MOST_SHOWN]
    ]
    headers = ["state", "delivery", "destination", "attempts", "last answer", "next attempt"]
    table = {"headers": headers, "rows": shown}
    return Section("Deliveries", render_to_string("unfold/components/table.html", {"table": table}))


def breaker_of_it(destination: Destination) -> Section:
    """How its circuit breaker stands."""
    standing = breaker_of(destination)
    row = [
        badge(CIRCUITS[standing.state], CIRCUIT_COLOURS[standing.state]),
        f"{standing.failures}",
        moment(standing.failing_since),
        moment(standing.retry_at),
        moment(standing.closed_at),
    ]
    headers = ["state", "failures in a row", "failing since", "next probe", "closed again"]
    return Section(
        "Circuit breaker",
        render_to_string("unfold/components/table.html", {"table": {"headers": headers, "rows": [row]}}),
    )


@row_action("Close breaker", question="What waits is delivered at once.", icon="bolt", scope="destinations:write")
def close_breaker(page: Any, request: HttpRequest, destination: Destination) -> str:
    breaker_reset(destination=_live(destination), actor=Actor(**acting(request)))
    return f"the breaker of {destination} is closed"


def contribute() -> None:
    """To the pages that the apps before this one have registered."""
    extend_page(Event, {"replay": replay}, [deliveries_of])
    extend_page(Consumer, {"erase": erase})
    sending = {"preview": preview, "send_test": send_test, "close_breaker": close_breaker}
    extend_page(Destination, {**sending, "recover": recover, "replay_range": replay_range}, [breaker_of_it])
