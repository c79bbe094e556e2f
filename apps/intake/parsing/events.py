"""One event from one request, in whichever of three forms its headers say."""

from collections.abc import Mapping

from apps.intake.parsing import binary_mode, cloudevents, json_events
from apps.intake.parsing.content_types import (
    BATCHED,
    JSON,
    STRUCTURED,
    is_json,
    media_type,
    refuse_compressed,
    unsupported,
)
from apps.intake.parsing.fields import refused
from apps.intake.parsing.headers import idempotency_key, traceparent
from apps.intake.parsing.limits import MAX_BODY_BYTES
from apps.intake.submission import Submission
from apps.kernel import strict_json
from apps.kernel.errors import Invalid, TooLarge


def parse_event(content_type: str, headers: Mapping[str, str], body: bytes) -> Submission:
    """The event in a request; `headers` by lower-case name.

    Raises TooLarge (413), Unsupported (415), Malformed (400) for bytes that aren't I-JSON, and Invalid (422)
    with every fault at once.
    """
    refuse_large(body)
    refuse_compressed(headers)
    key, faults = idempotency_key(headers)
    try:
        found = _read(content_type, headers, body, key)
    except Invalid as problem:
        raise refused([*faults, *problem.faults]) from problem
    if faults:
        raise refused(faults)
    return found


def _read(content_type: str, headers: Mapping[str, str], body: bytes, key: str) -> Submission:
    media = media_type(content_type)
    trace = traceparent(headers.get("traceparent"))
    if media == STRUCTURED:
        return cloudevents.read(body, strict_json.check(body), key=key, traceparent=trace)
    if binary_mode.is_binary_mode(headers) and _may_be_data(media, body):
        return binary_mode.read(headers, body, key=key, traceparent=trace)
    if media == JSON:
        return json_events.read(body, strict_json.check(body), key=key, traceparent=trace)
    raise unsupported(content_type, JSON, STRUCTURED)


def _may_be_data(media: str, body: bytes) -> bool:
    """Of binary mode: JSON, or nothing at all."""
    return (media != BATCHED and is_json(media)) or not (media or body)


def refuse_large(body: bytes) -> None:
    """Raises TooLarge for more than MAX_BODY_BYTES."""
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge(f"the body has {len(body)} bytes; at most {MAX_BODY_BYTES} are taken")
