"""The admin's pages of deliveries, with the timeline of their attempts, and of the engines that send them."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString

from apps.audit.services import Actor
from apps.deliveries.admin_colours import COLOURS
from apps.deliveries.admin_contributions import contribute
from apps.deliveries.admin_filters import AnswerFilter, ErrorFilter, StateFilter
from apps.deliveries.admin_operations import OperationAdmin
from apps.deliveries.models import Delivery, EngineHeartbeat, Operation
from apps.deliveries.selectors import ENGINE_IS_LOST_AFTER, attempts
from apps.deliveries.services import delivery_cancel, delivery_discard, delivery_retry
from apps.deliveries.states import Edge, State
from apps.destinations.models import Destination
from apps.events.models import Event
from apps.kernel.admin import (
    SEARCH_SPAN,
    DataPlaneAdmin,
    PeriodFilter,
    ProjectFilter,
    Section,
    SinceFilter,
    acting,
    badge,
    code_block,
    display,
    facts,
    for_selected,
    id_link,
    moment,
    mono,
    pretty_json,
    readable,
    row_action,
    row_link,
    within_projects,
)
from apps.kernel.clock import now
from apps.kernel.ids import first_id

MOST_FOUND = 200  # destinations that one search text may mean
__all__ = ["DeliveryAdmin", "EngineHeartbeatAdmin", "OperationAdmin"]

GOOD, BAD, WAITING = "tl-good", "tl-bad", "tl-waiting"
MARKS = {Edge.SUCCEEDED: GOOD, Edge.FAILED: WAITING, Edge.REJECTED: BAD, Edge.EXHAUSTED: BAD}


@admin.register(Delivery)
class DeliveryAdmin(DataPlaneAdmin[Delivery]):
    """One event to one destination: where it stands, what was tried, what was sent."""

    write_scope = "deliveries:write"
    id_lookups = {
        "dlv": "pk",
        "evt": "event_id",
        "dst": "destination_id",
        "con": "destination__consumer_id",
        "att": "tries__pk",
        "prj": "project_id",
    }
    indexed_ids = ("dlv", "evt", "dst", "att", "prj")
    search_help_text = "any id, consumer, event type or URL"
    list_display = ("what", "standing", "where", "answer", "next_attempt", "made")
    list_filter = (StateFilter, AnswerFilter, ErrorFilter, SinceFilter, ProjectFilter, ("created_at", PeriodFilter))
    list_filter_options = {name: {"horizontal": True} for name in ("answer", "last_error", "since", "project")}
    list_before_template = "admin/deliveries/all_that_match.html"
    actions = ("retry_selected", "cancel_selected", "discard_selected")
    actions_row = actions_detail = ("retry", "cancel", "discard")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(request, {**(extra_context or {}), "all_that_match": _all_that_match(request)})

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        rows = super().get_queryset(request).select_related("event", "destination__consumer", "project")
        return rows.defer("event__data", "event__extensions", "destination__sealed_config")

    def search_text(self, request: HttpRequest, rows: QuerySet[Delivery], term: str) -> tuple[QuerySet[Delivery], bool]:
        """By destination; by the event's type or consumer, of late."""
        named = Q(consumer__key=term) | Q(name__icontains=term) | Q(summary__icontains=term)
        known = within_projects(Destination.objects.filter(named), request, "project_id")
        ids = list(known.values_list("pk", flat=True)[:MOST_FOUND])
        # Event by event for each delivery that the walk comes by: a join may begin with all events.
        events = Event.objects.filter(pk=OuterRef("event_id"))
        rows = rows.alias(meant=Subquery(events.filter(Q(type=term) | Q(consumer=term)).values("pk")))
        recent = Q(pk__gte=first_id(now() - SEARCH_SPAN), meant__isnull=False)
        return rows.filter(Q(destination__in=ids) | recent), False

    @row_action("Retry now", question="Send it now: one that waits at once, a final one anew.", icon="replay")
    def retry(self, request: HttpRequest, delivery: Delivery) -> str:
        delivery_retry(delivery=delivery, actor=Actor(**acting(request)))
        return f"{delivery.public_id} is due now"

    @row_action("Cancel", question="Send it no more. It can be retried later.", icon="block", danger=True)
    def cancel(self, request: HttpRequest, delivery: Delivery) -> str:
        delivery_cancel(delivery=delivery, actor=Actor(**acting(request)))
        return f"{delivery.public_id} is cancelled"

    @row_action("Discard", question="Take a dead one out of the queue. It can be retried later.", icon="delete_sweep")
    def discard(self, request: HttpRequest, delivery: Delivery) -> str:
        delivery_discard(delivery=delivery, actor=Actor(**acting(request)))
        return f"{delivery.public_id} is discarded"

    retry_selected = for_selected(retry, "Retry now")
    cancel_selected = for_selected(cancel, "Cancel")
    discard_selected = for_selected(discard, "Discard")

    @display("delivery", header=True)
    def what(self, delivery: Delivery) -> list[str]:
        return [delivery.event.type, mono(delivery.public_id)]

    @display("state", label=COLOURS)
    def standing(self, delivery: Delivery) -> str:
        return delivery.state

    @display("destination", header=True)
    def where(self, delivery: Delivery) -> list[str]:
        destination = delivery.destination
        return [str(destination), destination.consumer.key if destination.consumer else "every consumer"]

    @display("last answer", header=True)
    def answer(self, delivery: Delivery) -> list[str]:
        return [_last_answer(delivery), f"{delivery.attempts} attempt{'' if delivery.attempts == 1 else 's'}"]

    @display("next attempt (UTC)")
    def next_attempt(self, delivery: Delivery) -> SafeString | str:
        return moment(delivery.due_at if delivery.state == State.READY else None)

    @display("made (UTC)")
    def made(self, delivery: Delivery) -> SafeString | str:
        return moment(delivery.created_at)

    def sections(self, request: HttpRequest, delivery: Delivery) -> list[Section]:
        request_lines = code_block("\n".join(_request_lines(delivery)), "request's headers")
        return [
            Section("Delivery", facts(_delivery_facts(delivery))),
            Section("Attempts", _timeline(delivery)),
            Section("Event", facts(_event_facts(delivery.event))),
            Section("Event data", code_block(pretty_json(bytes(delivery.event.data)), "event's data")),
            Section("Request", request_lines),
        ]


def _all_that_match(request: HttpRequest) -> str:
    """The form of an operation on what the list is narrowed by, where such operations can be made."""
    kinds = {State.DEAD.value: "recover", State.READY.value: "cancel"}
    kind = kinds.get(request.GET.get("state", ""))
    if not (kind and admin.site.get_model_admin(Operation).has_add_permission(request)):
        return ""
    named = {"project": "project", "last_error": "error"}
    term = request.GET.get("q", "").strip()
    asked = {"kind": kind, **{ours: request.GET[theirs] for theirs, ours in named.items() if request.GET.get(theirs)}}
    answer = request.GET.get("answer", "")
    asked |= {"status_code": answer} if answer.isdigit() and len(answer) == 3 else {}
    asked |= {"destination": term} if term.startswith("dst_") else {}
    return f"{reverse('admin:deliveries_operation_add')}?{urlencode(asked)}"


def _delivery_facts(delivery: Delivery) -> dict[str, Any]:
    destination, waits = delivery.destination, delivery.state == State.READY
    consumer, lease = destination.consumer, delivery.lease_until
    return {
        "State": badge(delivery.state, COLOURS[State(delivery.state)]),
        "Reason": delivery.reason or "–",
        "Next attempt": moment(delivery.due_at if waits else None),
        "Attempts": f"{delivery.attempts} ({delivery.failures} failed since it was made or replayed)",
        "Last answer": _last_answer(delivery),
        "Delivery": mono(delivery.public_id),
        "Destination": row_link("destinations.destination", destination.pk, str(destination)),
        "Consumer": row_link("destinations.consumer", consumer.pk, str(consumer)) if consumer else "all",
        "Project": str(delivery.project),
        "Made": moment(delivery.created_at),
        "Finished": moment(delivery.finished_at),
        **({"Held by an engine until": moment(lease)} if lease else {}),
    }


def _event_facts(event: Event) -> dict[str, Any]:
    return {
        "Event": id_link("events.event", "evt", event.pk),
        "Type": event.type,
        "For consumer": event.consumer or "–",
        "Happened": moment(event.time),
        "Received": moment(event.received_at),
        "Subject": event.subject or "–",
    }


def _last_answer(delivery: Delivery) -> str:
    return " · ".join(str(part) for part in (delivery.last_status_code, delivery.last_error) if part) or "–"


def _timeline(delivery: Delivery) -> SafeString:
    """Every attempt, oldest first, with the answer's first bytes as readable text."""
    shown = [
        {"row": row, "answer": readable(row.response_body), "mark": MARKS.get(Edge(row.outcome), WAITING)}
        for row in attempts(delivery)
    ]
    return render_to_string("admin/deliveries/attempts.html", {"attempts": shown})


def _request_lines(delivery: Delivery) -> list[str]:
    """What goes with the body, as far as it can be known before it is sent."""
    event = delivery.event
    lines = [
        f"POST {delivery.destination.summary}",
        "content-type: application/json",
        f"webhook-id: {event.public_id}",
        "webhook-timestamp: (when it is sent)",
        "webhook-signature: v1,(one for each live secret)",
    ]
    return [*lines, f"traceparent: {event.traceparent}"] if event.traceparent else lines


@admin.register(EngineHeartbeat)
class EngineHeartbeatAdmin(DataPlaneAdmin[EngineHeartbeat]):
    """The engines that live, or died within the hour."""

    project_path = ""
    list_display = ("engine", "alive", "sending", "since", "seen")

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return ()  # there are few

    def sections(self, request: HttpRequest, engine: EngineHeartbeat) -> list[Section]:
        shown = {
            "Host and process": str(engine),
            "State": self.alive(engine),
            "Sending": f"{engine.sending} deliveries",
            "Started": moment(engine.started_at),
            "Last seen": moment(engine.seen_at),
        }
        return [Section("Engine", facts(shown))]

    @display("engine")
    def engine(self, engine: EngineHeartbeat) -> str:
        return str(engine)

    @display("alive", label={"alive": "success", "lost": "danger"})
    def alive(self, engine: EngineHeartbeat) -> str:
        return "alive" if now() - engine.seen_at < ENGINE_IS_LOST_AFTER else "lost"

    @display("started")
    def since(self, engine: EngineHeartbeat) -> SafeString | str:
        return moment(engine.started_at)

    @display("last seen")
    def seen(self, engine: EngineHeartbeat) -> SafeString | str:
        return moment(engine.seen_at)


contribute()
