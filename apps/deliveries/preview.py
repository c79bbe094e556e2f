"""What a destination would get of an event, without sending anything: for those who write filters and transformations.

The filter is judged and the body made as the engine does it, in the same worker processes.
"""

from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import msgspec

from apps.deliveries.payload import message_of
from apps.deliveries.transforming import transformed_message
from apps.destinations.kinds import Attributes, Event, Message
from apps.destinations.models import Destination
from apps.destinations.policy import PayloadFormat, parse_policy
from apps.destinations.routing.filters import check_filter, filter_of
from apps.destinations.routing.jobs import Transform
from apps.destinations.routing.matching import PatientJudge, subscription
from apps.destinations.routing.subject import Subject
from apps.destinations.routing.transforms import TransformFailed, check_transform
from apps.destinations.routing.workers import Unavailable
from apps.events.models import Event as EventRecord
from apps.kernel import errors


@dataclass(frozen=True, slots=True)
class Preview:
    """What would become of the event."""

    matches: bool  # type, consumer and filter
    filter_error: str | None = None  # why the filter could not be evaluated: then it does not match
    body: str | None = None  # as it would be sent, whether it matches or not
    content_type: str | None = None
    headers: dict[str, str] = field(default_factory=dict)  # those of the payload format
    error: str | None = None  # why there is no body
    duration_ms: int = 0


def preview(
    event: EventRecord, destination: Destination | None, *, filter: str | None = None, transform: Any = None
) -> Preview:
    """With the destination's own filter and transformation, or with those given. Writes nothing; raises Invalid."""
    text = check_filter(filter) if filter is not None else (destination.filter if destination else "")
    kept = check_transform(transform) if transform is not None else (destination.transform if destination else {})
    began = monotonic()
    try:
        matches, filter_error = _matches(event, destination, text)
        body = _body(event, destination, msgspec.convert(kept, Transform) if kept else None)
    except Unavailable as trouble:
        raise errors.Unavailable(f"there is no worker to do it now: {trouble}") from None
    taken = round((monotonic() - began) * 1000)
    if isinstance(body, str):
        return Preview(matches, filter_error, error=body, duration_ms=taken)
    shown = body.body.decode(errors="replace")
    return Preview(matches, filter_error, shown, body.content_type, dict(body.headers), None, taken)


def _matches(event: EventRecord, destination: Destination | None, text: str) -> tuple[bool, str | None]:
    holds, error = PatientJudge(Subject.of(event)).verdict(filter_of(text)) if text else (True, "")
    if destination:
        consumer = destination.consumer.key if destination.consumer else ""
        wish = subscription(destination.pk, consumer, destination.event_types, "")
        holds = bool(holds) and wish.wants(event.type, event.consumer)
    return bool(holds), error or None


def _body(event: EventRecord, destination: Destination | None, transform: Transform | None) -> Message | str:
    """The message, or why there is none."""
    form = parse_policy(destination.policy).payload_format if destination else None
    about, data = _about(event), bytes(event.data)
    if transform is None:
        return message_of(form or PayloadFormat.STANDARD, about, data)
    try:
        return transformed_message(transform, form, about, data)
    except TransformFailed as failure:
        return str(failure)


def _about(event: EventRecord) -> Event:
    shown = Attributes(
        event.source, event.subject, event.ordering_key, event.schema_version, event.extensions, event.consumer
    )
    return Event(event.public_id, event.type, event.time, event.project_id, event.traceparent, shown)
