"""What each kind of operation can be asked: checked when it is made, kept as plain JSON, read back by the engines."""

from collections.abc import Mapping
from datetime import UTC, datetime
from re import compile
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from apps.deliveries.models import ERASURE
from apps.destinations.patterns import LONGEST, compile_patterns, is_pattern
from apps.kernel.errors import Fault, Invalid
from apps.kernel.ids import InvalidId, decode

type Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339")]
type Id = Annotated[str, Meta(description="a destination's id, `dst_…`")]
type Pattern = Annotated[str, Meta(max_length=LONGEST, description="an event type, or a pattern such as invoice.*")]
type Key = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
type Subject = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
type Status = Annotated[int, Meta(ge=100, le=599, description="the last answer's")]
type Code = Annotated[str, Meta(pattern="^[a-z0-9_]{1,32}$", description="the last attempt's error code")]

WHERE = compile(r" - at `\$\.?(.*)`$")  # how msgspec ends what it says
FIELD = compile(r"^Object (missing required|contains unknown) field `(.*?)`")


class _Common(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What narrows every kind. `since` counts in, `until` does not."""

    until: Moment | None = None
    destination: Id | None = None
    event_type: Pattern | None = None
    consumer: Key | None = None  # the event's

    @property
    def destination_id(self) -> UUID | None:
        return None if self.destination is None else decode("dst", self.destination)

    def takes(self, event_type: str, consumer: str) -> bool:
        """Whether an event of that type, for that consumer, is meant."""
        by_type = self.event_type is None or compile_patterns([self.event_type]).fullmatch(event_type) is not None
        return by_type and self.consumer in {None, consumer}


class Deliveries(_Common, frozen=True, kw_only=True):
    """Deliveries of a state: dead ones by when they died, waiting ones by when they were made."""

    since: Moment | None = None
    error: Code | None = None
    status_code: Status | None = None


class Recover(Deliveries, frozen=True, kw_only=True, tag_field="kind", tag="recover"):
    """Dead ones are sent again."""

    since: Moment


class Discard(Deliveries, frozen=True, kw_only=True, tag_field="kind", tag="discard"):
    """Dead ones leave the queue."""


class Retry(Deliveries, frozen=True, kw_only=True, tag_field="kind", tag="retry"):
    """Waiting ones are due now."""


class Cancel(Deliveries, frozen=True, kw_only=True, tag_field="kind", tag="cancel"):
    """Waiting ones are sent no more."""


class Replay(_Common, frozen=True, kw_only=True, tag_field="kind", tag="replay"):
    """Events of a time are delivered again: to `destination`, or to all that want them now."""

    since: Moment
    subject: Subject | None = None
    only_matching: Annotated[bool, Meta(description="only what the destination subscribes to")] = False


class EraseConsumer(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept of it goes. By id only: the key is one of the things that go."""

    consumer_id: str

    @property
    def consumer_pk(self) -> UUID:
        return decode("con", self.consumer_id)


type Parameters = Recover | Replay | Cancel | Retry | Discard


def parse_parameters(kind: object, given: Mapping[str, Any]) -> Parameters:
    """Raises Invalid with a fault that points to what is wrong."""
    try:
        parameters: Parameters = msgspec.convert({**given, "kind": kind}, Recover | Replay | Cancel | Retry | Discard)
    except msgspec.ValidationError as error:
        raise _refusal(_placed(str(error))) from None
    if faults := [fault for fault in _faults(parameters) if fault]:
        raise _refusal(*faults)
    return parameters


def read_parameters(kind: str, stored: Mapping[str, Any]) -> Parameters | EraseConsumer:
    """Of an operation that was made; raises Invalid where this version can't read them."""
    if kind != ERASURE:
        return parse_parameters(kind, stored)
    try:
        asked = msgspec.convert(stored, EraseConsumer)
        decode("con", asked.consumer_id)
    except (msgspec.ValidationError, InvalidId) as error:
        raise Invalid(f"its parameters can't be read: {error}") from None
    return asked


def as_stored(parameters: Parameters) -> dict[str, Any]:
    """Plain JSON, without the kind and what is left out."""
    stored: dict[str, Any] = msgspec.to_builtins(parameters)
    return {name: value for name, value in stored.items() if name != "kind"}


def parameters_schema() -> dict[str, Any]:
    """What can be posted, in JSON Schema: one object for each kind, whole."""
    kinds = (Recover, Replay, Cancel, Retry, Discard)
    _, definitions = msgspec.json.schema_components(kinds)
    return {"oneOf": [definitions[kind.__name__] for kind in kinds]}


def _faults(parameters: Parameters) -> list[Fault | None]:
    until, since = parameters.until, parameters.since
    named = isinstance(parameters, Cancel) and not as_stored(parameters)
    alone = isinstance(parameters, Replay) and parameters.only_matching and not parameters.destination
    return [
        _no_time("/since", since),
        _no_time("/until", until),
        Fault("/until", "must be after since") if since and until and until <= since else None,
        _no_id(parameters),
        Fault("/event_type", "must be an event type, with * for segments") if _is_no_pattern(parameters) else None,
        Fault("/destination", "say which: by destination, event type, consumer, last answer or time")
        if named
        else None,
        Fault("/only_matching", "goes with a destination") if alone else None,
    ]


def _no_time(pointer: str, moment: datetime | None) -> Fault | None:
    """Databases know the years 1 to 9999, in UTC."""
    try:
        if moment is not None:
            moment.astimezone(UTC)
    except OverflowError:
        return Fault(pointer, "must be a time")
    return None


def _no_id(parameters: Parameters) -> Fault | None:
    try:
        if parameters.destination is not None:
            decode("dst", parameters.destination)
    except InvalidId as error:
        return Fault("/destination", str(error), "invalid_id")
    return None


def _is_no_pattern(parameters: Parameters) -> bool:
    return parameters.event_type is not None and not is_pattern(parameters.event_type)


def _placed(said: str) -> Fault:
    """What msgspec says, and where, as a JSON Pointer."""
    if field := FIELD.match(said):
        missing = field[1].startswith("missing")
        return Fault(f"/{field[2]}", "is required" if missing else "unknown field", _code(missing))
    found = WHERE.search(said)
    return Fault(f"/{found[1]}" if found else "", said[: found.start()] if found else said)


def _code(missing: bool) -> str:
    return "required" if missing else "unknown_field"


def _refusal(*faults: Fault) -> Invalid:
    first = faults[0]
    return Invalid(f"{first.pointer or 'the body'}: {first.detail}", faults=faults)
