"""What goes out of an event, by its destination's payload format. Pure: data → format → body.

The same bytes for the same event, always; the data goes in as the producer wrote it.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote

from apps.destinations.kinds import Attributes, Event, Message
from apps.destinations.kinds.base import JSON
from apps.destinations.policy import PayloadFormat
from apps.kernel.clock import isoformat
from apps.kernel.ids import encode

CLOUDEVENT = "application/cloudevents+json"
WITH_ATTRIBUTES = frozenset({PayloadFormat.CLOUDEVENTS, PayloadFormat.CLOUDEVENTS_BINARY})
PRINTABLE = "".join(map(chr, range(0x21, 0x7F))).translate({ord('"'): None, ord("%"): None})


def message_of(form: PayloadFormat, event: Event, data: bytes) -> Message:
    """The event as its sender takes it. `data` is JSON; the CloudEvents formats show `event.attributes`."""
    return FORMATS[form](event, data)


def _message(
    event: Event,
    data: bytes,
    body: bytes,
    after: int = 0,
    content_type: str = JSON,
    headers: tuple[tuple[str, str], ...] = (),
) -> Message:
    """`after`: bytes of the body that follow the data, which is all that lies between."""
    end = len(body) - after
    return Message(event.id, body, event.traceparent, content_type, headers, event, end - len(data), end)


def webhook_body(type: str, time: datetime, data: bytes) -> bytes:
    """`{"type", "timestamp", "data"}` (Standard Webhooks 1.0, "Payload structure")."""
    return b'%b%b","data":%b}' % (_head(type), isoformat(time).encode(), data)


@lru_cache(1_000)
def _head(type: str) -> bytes:
    return f'{{"type":{json.dumps(type)},"timestamp":"'.encode()


def _standard(event: Event, data: bytes) -> Message:
    return _message(event, data, webhook_body(event.type, event.time, data), 1)


def _data_alone(event: Event, data: bytes) -> Message:
    return _message(event, data, data)


def _structured(event: Event, data: bytes) -> Message:
    """CloudEvents 1.0.2, JSON format: one object, the attributes first."""
    shown = json.dumps(dict(_cloudevent(event)), separators=(",", ":"))
    return _message(event, data, b'%b,"data":%b}' % (shown[:-1].encode(), data), 1, CLOUDEVENT)


def _binary(event: Event, data: bytes) -> Message:
    """CloudEvents 1.0.2, HTTP binding 3.1: the attributes as headers, `datacontenttype` as the content type."""
    attributes = [(f"ce-{name}", quote(text, safe=PRINTABLE)) for name, text in _cloudevent(event)]
    return _message(event, data, data, 0, JSON, tuple(one for one in attributes if one[0] != "ce-datacontenttype"))


def _cloudevent(event: Event) -> Iterator[tuple[str, str]]:
    """Its attributes, those of the specification first; no name is there twice."""
    shown = event.attributes or Attributes()
    project = encode("prj", event.project_id)
    given = {
        "specversion": "1.0",
        "id": event.id,
        "source": shown.source or f"/projects/{project}",
        "type": event.type,
        "subject": shown.subject,
        "time": isoformat(event.time),
        "datacontenttype": JSON,
        "dataschema": f"urn:trunkline:{project}:{event.type}/{shown.schema_version}" if shown.schema_version else "",
    }
    return ((name, text) for name, text in {**given, **_extensions(event, shown), **given}.items() if text)


def _extensions(event: Event, shown: Attributes) -> Mapping[str, str]:
    return {**shown.extensions, "partitionkey": shown.ordering_key, "traceparent": event.traceparent}


FORMATS: Mapping[PayloadFormat, Callable[[Event, bytes], Message]] = {
    PayloadFormat.STANDARD: _standard,
    PayloadFormat.CLOUDEVENTS: _structured,
    PayloadFormat.CLOUDEVENTS_BINARY: _binary,
    PayloadFormat.DATA: _data_alone,
}
