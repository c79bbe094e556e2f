"""Many events from one request: each is read for itself, and one that is wrong leaves the others alone."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec import Raw, Struct

from apps.intake.parsing import cloudevents, json_events
from apps.intake.parsing.content_types import BATCHED, JSON, media_type, refuse_compressed, unsupported
from apps.intake.parsing.events import refuse_large
from apps.intake.parsing.fields import faults_in, refused, summary
from apps.intake.parsing.headers import traceparent
from apps.intake.parsing.limits import MAX_BATCH
from apps.intake.submission import Submission
from apps.kernel import strict_json
from apps.kernel.errors import Fault, Malformed, Problem, TooLarge


class Batch(Struct, forbid_unknown_fields=True):
    """The envelope of our own JSON."""

    events: list[Raw]


class Reader(Protocol):
    """Reads one event from its bytes and from the same decoded."""

    def __call__(self, raw: bytes, value: object, *, traceparent: str) -> Submission: ...


class Form(NamedTuple):
    """One way of putting events into a body."""

    base: str  # where the events stand, as a JSON Pointer
    frame: tuple[bytes, bytes]  # what stands around the events; its end has a byte for each level of nesting
    split: Callable[[bytes], list[Raw]]
    faults: Callable[[object], list[Fault]]  # of the envelope
    read: Reader


def parse_batch(content_type: str, headers: Mapping[str, str], body: bytes) -> list[Submission | Problem]:
    """The events in a request, in order, each a Submission or the Problem that refuses it alone.

    Raises, for the batch as a whole, TooLarge (413), Unsupported (415), Malformed (400) and Invalid (422).
    Pointers are into the body: `/events/3/type`, or `/3/type` in a CloudEvents batch. Idempotency-Key is for
    single events and isn't read here.
    """
    refuse_large(body)
    refuse_compressed(headers)
    form = _FORMS.get(media_type(content_type))
    if form is None:
        raise unsupported(content_type, *_FORMS)
    items = _items(form, body)
    _refuse_count(form, len(items))
    trace = traceparent(headers.get("traceparent"))
    return [_read(form, f"{form.base}/{index}", raw, value, trace) for index, (raw, value) in enumerate(items)]


def _refuse_count(form: Form, count: int) -> None:
    if count > MAX_BATCH:
        raise TooLarge(f"the batch has {count} events; at most {MAX_BATCH} are taken")
    if count == 0:
        raise refused([Fault(form.base, "must hold at least one event", "too_short")])


def _read(form: Form, place: str, raw: bytes, value: object, trace: str) -> Submission | Problem:
    try:
        checked = strict_json.check(raw) if value is _UNCHECKED else value
        return form.read(raw, checked, traceparent=trace)
    except Problem as problem:
        faults = [fault.under(place) for fault in problem.faults]
        return type(problem)(summary(faults), code=problem.code, faults=faults)


_UNCHECKED = object()


def _items(form: Form, body: bytes) -> list[tuple[bytes, object]]:
    """Each event's bytes and decoded value; `_UNCHECKED` where a flaw in one spoilt the check of all."""
    try:
        value = strict_json.check(body, depth=strict_json.MAX_DEPTH + len(form.frame[1]))
    except Malformed as flaw:
        return [(raw, _UNCHECKED) for raw in _split_despite(flaw, form, body)]
    try:
        raws = form.split(body)
    except msgspec.ValidationError as error:
        raise refused(form.faults(value)) from error
    values: list[Any] = value["events"] if form.base else value
    return [(bytes(raw), one) for raw, one in zip(raws, values, strict=True)]


# Half a surrogate pair is what a program leaves that cuts a text between two UTF-16 units: common, and msgspec
# goes no further there. So the batch is split with all of them replaced, by something of the same length.
_SURROGATES = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def _split_despite(flaw: Malformed, form: Form, body: bytes) -> Iterator[bytes]:
    """The bytes of each event, where the flaw is within events; raises it where it is around them."""
    if not flaw.faults or not flaw.faults[0].pointer.startswith(f"{form.base}/"):
        raise flaw
    patched = _SURROGATES.sub(rb"\\ufffd", body)
    try:
        raws = [bytes(raw) for raw in form.split(patched)]
        minified = msgspec.json.format(patched, indent=-1)
        again = b",".join(bytes(raw) for raw in form.split(minified)).join(form.frame)
    except (msgspec.MsgspecError, RecursionError):
        raise flaw from None
    if again != minified:  # the envelope itself says `events` twice
        raise flaw
    start = patched.index(b"[") + 1
    for raw in raws:
        start = patched.index(raw, start)
        yield body[start : start + len(raw)]
        start += len(raw)


_decode_batch = msgspec.json.Decoder(Batch).decode
_FORMS = {
    JSON: Form(
        base="/events",
        frame=(b'{"events":[', b"]}"),
        split=lambda body: _decode_batch(body).events,
        faults=lambda value: faults_in(Batch, value),
        read=json_events.read,
    ),
    BATCHED: Form(
        base="",
        frame=(b"[", b"]"),
        split=msgspec.json.Decoder(list[Raw]).decode,
        faults=lambda _: [Fault("", "must be an array of events", "wrong_type")],
        read=cloudevents.read,
    ),
}
