"""An event as a CloudEvent 1.0.2: structured mode (JSON format) and what binary mode shares with it."""

from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Raw, Struct

from apps.intake.parsing import extensions
from apps.intake.parsing.content_types import JSON, is_json, media_type
from apps.intake.parsing.fields import (
    EventType,
    Filled,
    FilledSource,
    Moment,
    SpecVersion,
    Text,
    faults_in,
    in_utc,
    refused,
)
from apps.intake.submission import Submission
from apps.kernel.errors import Fault, Unsupported


class CloudEvent(Struct):
    """The attributes of the specification. All others are extensions, so none is unknown."""

    specversion: SpecVersion
    id: Filled
    source: FilledSource
    type: EventType
    time: Moment | None = None
    subject: Filled | None = None
    datacontenttype: Text | None = None
    dataschema: Filled | None = None
    data: Raw = Raw(b"null")


_KNOWN = frozenset({*CloudEvent.__struct_fields__, "data_base64"})
_decode = msgspec.json.Decoder(CloudEvent).decode


def read(raw: bytes, value: object, *, key: str = "", traceparent: str = "") -> Submission:
    """The submission in `raw`, which was checked to be `value`; raises Invalid with every fault.

    `key`: the Idempotency-Key header; without it `source` and `id` tell repeats. `traceparent`: the request's.
    """
    try:
        event = _decode(raw)
        in_utc(event.time)
    except msgspec.ValidationError as error:
        raise refused(faults_of(value)) from error
    assert isinstance(value, dict)
    return submission(event, bytes(event.data), value, key=key, traceparent=traceparent)


def faults_of(value: object) -> list[Fault]:
    """Every fault of a decoded CloudEvent; the pointers are those of structured mode."""
    beyond = _faults_beyond(value) if isinstance(value, Mapping) else ()
    return [*faults_in(CloudEvent, value), *beyond]


def _faults_beyond(attributes: Mapping[str, object]) -> Iterator[Fault]:
    """Of what the types of `CloudEvent` can't say."""
    if attributes.get("data_base64") is not None:
        yield Fault("/data_base64", "binary data isn't taken: send JSON as `data`", "unsupported")
    if not _is_json(attributes.get("datacontenttype")):
        yield Fault("/datacontenttype", "only JSON in UTF-8 is taken: application/json", "unsupported")
    yield from extensions.faults_in(_extensions(attributes))


def _is_json(content_type: object) -> bool:
    if content_type is None or content_type == JSON:
        return True
    try:
        return not isinstance(content_type, str) or is_json(media_type(content_type))
    except Unsupported:  # another charset
        return False


def _extensions(attributes: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in attributes.items() if name not in _KNOWN}


def submission(
    event: CloudEvent, data: bytes, attributes: Mapping[str, object], *, key: str, traceparent: str
) -> Submission:
    """The event, whose `attributes` may hold more than it does, as a submission; raises Invalid for that."""
    if faults := list(_faults_beyond(attributes)):
        raise refused(faults)
    more = extensions.read(_extensions(attributes))
    return Submission(
        type=event.type,
        data=data,
        source=event.source,
        subject=event.subject or "",
        time=in_utc(event.time),
        consumer=more.consumer,
        ordering_key=more.ordering_key,
        dataschema=event.dataschema or "",
        idempotency=("key", key) if key else ("cloudevents", event.source, event.id),
        traceparent=more.traceparent or traceparent,
        extensions=more.others,
    )
