"""An event's message as its destination's transformation makes it. Signing comes after, over the final bytes."""

from apps.deliveries.payload import message_of
from apps.destinations.kinds import Attributes, Event, Message
from apps.destinations.kinds.base import JSON
from apps.destinations.policy import PayloadFormat
from apps.destinations.routing.jobs import Facts, Transform
from apps.destinations.routing.transforms import transformed


def transformed_message(transform: Transform, form: PayloadFormat | None, event: Event, data: bytes) -> Message:
    """The result as data in the payload format, or as the whole body. Blocks; raises TransformFailed, Unavailable."""
    result = transformed(transform, _facts(event, data))
    if transform.raw:
        return Message(event.id, result, event.traceparent, transform.content_type or JSON, event=event)
    return message_of(form or PayloadFormat.STANDARD, event, result)


def _facts(event: Event, data: bytes) -> Facts:
    shown = event.attributes or Attributes()
    return Facts(
        type=event.type,
        time=event.time,
        data=data,
        id=event.id,
        source=shown.source,
        subject=shown.subject,
        consumer=shown.consumer,
        ordering_key=shown.ordering_key,
    )
