"""A CloudEvent in binary mode: attributes in `ce-*` headers, the data as the body (HTTP binding 1.0.2, 3.1)."""

from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

import msgspec

from apps.intake.parsing import cloudevents
from apps.intake.parsing.cloudevents import CloudEvent
from apps.intake.parsing.fields import in_utc, refused
from apps.intake.parsing.headers import unescaped
from apps.intake.submission import Submission
from apps.kernel import strict_json
from apps.kernel.errors import Fault, Invalid
from apps.kernel.strict_json import pointer

PREFIX = "ce-"
_NOT_IN_HEADERS = {"data": "the data is the body", "datacontenttype": "the header Content-Type says it"}


def is_binary_mode(headers: Mapping[str, str]) -> bool:
    """Whether the headers mean to carry a CloudEvent, complete or not."""
    return "ce-specversion" in headers or "ce-type" in headers


def read(headers: Mapping[str, str], body: bytes, *, key: str = "", traceparent: str = "") -> Submission:
    """The submission in headers and body; raises Malformed for the body, Invalid for the headers.

    An empty body is an event without data, null.
    """
    data = body or b"null"
    strict_json.check(data)
    attributes, faults = _attributes(headers)
    try:
        event = _event(attributes)
        found = cloudevents.submission(event, data, attributes, key=key, traceparent=traceparent)
    except Invalid as problem:
        told = {fault.pointer for fault in faults}
        faults += [fault for fault in problem.faults if fault.pointer not in told]
        raise refused([_of_header(fault) for fault in faults]) from problem
    if faults:
        raise refused([_of_header(fault) for fault in faults])
    return found


def _event(attributes: Mapping[str, str]) -> CloudEvent:
    try:
        event = msgspec.convert(attributes, CloudEvent)
        in_utc(event.time)
    except msgspec.ValidationError as error:
        raise refused(cloudevents.faults_of(attributes)) from error
    return event


def _of_header(fault: Fault) -> Fault:
    if not fault.pointer:
        return fault
    return Fault(fault.pointer, f"in the header {PREFIX}{fault.pointer[1:]}: {fault.detail}", fault.code)


def _attributes(headers: Mapping[str, str]) -> tuple[dict[str, str], list[Fault]]:
    attributes: dict[str, str] = {}
    faults: list[Fault] = []
    for header, text in headers.items():
        name = header.removeprefix(PREFIX)
        if name == header:
            continue
        if name in _NOT_IN_HEADERS:
            faults.append(Fault(pointer(name), _NOT_IN_HEADERS[name], "unknown_field"))
            continue
        try:
            attributes[name] = _decoded(text)
        except UnicodeError:
            faults.append(Fault(pointer(name), "must be ASCII, all else percent-encoded as UTF-8", "encoding"))
    return attributes, faults


def _decoded(text: str) -> str:
    """A header's value as the attribute's: HTTP binding 3.1.3.2. Raises UnicodeError for what isn't UTF-8."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = unescaped(text)
    text.encode("ascii")
    return unquote_to_bytes(text).decode() if "%" in text else text
