"""An event in our own JSON."""

import msgspec
from msgspec import Raw, Struct

from apps.intake.parsing.fields import (
    Consumer,
    EventType,
    Filled,
    Moment,
    Source,
    Text,
    faults_in,
    in_utc,
    refused,
)
from apps.intake.submission import Submission
from apps.kernel.errors import Fault


class JSONEvent(Struct, forbid_unknown_fields=True):
    """The fields of the contract; null in an optional one means absent."""

    type: EventType
    data: Raw
    source: Source | None = None
    subject: Text | None = None
    time: Moment | None = None
    consumer: Consumer | None = None
    ordering_key: Text | None = None
    idempotency_key: Filled | None = None
    dataschema: Text | None = None


_decode = msgspec.json.Decoder(JSONEvent).decode


def read(raw: bytes, value: object, *, key: str = "", traceparent: str = "") -> Submission:
    """The submission in `raw`, which was checked to be `value`; raises Invalid with every fault.

    `key`: the Idempotency-Key header. `traceparent`: the trace of the request.
    """
    try:
        event = _decode(raw)
        time = in_utc(event.time)
    except msgspec.ValidationError as error:
        raise refused([*faults_in(JSONEvent, value), *_conflict(value, key)]) from error
    if key and event.idempotency_key not in {None, key}:
        raise refused(_conflict(value, key))
    key = key or event.idempotency_key or ""
    return Submission(
        type=event.type,
        data=bytes(event.data),
        source=event.source or "",
        subject=event.subject or "",
        time=time,
        consumer=event.consumer or "",
        ordering_key=event.ordering_key or "",
        dataschema=event.dataschema or "",
        idempotency=("key", key) if key else (),
        traceparent=traceparent,
    )


def _conflict(value: object, key: str) -> list[Fault]:
    within = value.get("idempotency_key") if isinstance(value, dict) else None
    if not key or within in {None, key}:
        return []
    return [Fault("/idempotency_key", "differs from the header Idempotency-Key", "conflict")]
