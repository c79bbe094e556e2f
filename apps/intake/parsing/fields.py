"""What an event's fields may hold, said once as types: msgspec reads by them, `faults_in` explains by them."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, inspect

from apps.intake.parsing.limits import MAX_CONSUMER, MAX_FAULTS, MAX_TEXT, MAX_TYPE
from apps.kernel.errors import Fault, Invalid
from apps.kernel.strict_json import pointer

TYPE_SYNTAX = r"\A[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\Z"
# CloudEvents 1.0.2, "Type System": a String has no control characters. Databases agree, at least about NUL.
TEXT_SYNTAX = r"\A[^\x00-\x1f\x7f-\x9f]*\Z"
RESERVED = "trunkline"  # the source of operational events: whoever gets one may rely on who says it
SOURCE_SYNTAX = rf"\A(?!{RESERVED}\Z)[^\x00-\x1f\x7f-\x9f]*\Z"
VERSION_SYNTAX = r"\A1\.0\Z"

EventType = Annotated[str, Meta(max_length=MAX_TYPE, pattern=TYPE_SYNTAX)]
Text = Annotated[str, Meta(max_length=MAX_TEXT, pattern=TEXT_SYNTAX)]
Filled = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT, pattern=TEXT_SYNTAX)]
Source = Annotated[str, Meta(max_length=MAX_TEXT, pattern=SOURCE_SYNTAX)]
FilledSource = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT, pattern=SOURCE_SYNTAX)]
Consumer = Annotated[str, Meta(max_length=MAX_CONSUMER, pattern=TEXT_SYNTAX)]
Moment = Annotated[datetime, Meta(tz=True)]  # RFC 3339 with an offset
SpecVersion = Annotated[str, Meta(pattern=VERSION_SYNTAX)]

type Complaint = tuple[str, str]  # detail and code

REQUIRED: Complaint = ("is required", "required")
_OF_SYNTAX: Mapping[str, Complaint] = {
    TYPE_SYNTAX: ("must be words of letters, digits, `_` and `-`, joined by dots", "invalid_format"),
    TEXT_SYNTAX: ("must not contain control characters", "control_character"),
    SOURCE_SYNTAX: ("must not contain control characters", "control_character"),
    VERSION_SYNTAX: ("must be `1.0`", "unsupported"),
}


def in_utc(moment: datetime | None) -> datetime | None:
    """The same moment in UTC; raises ValidationError where that isn't in the years 1 to 9999."""
    try:
        return moment.astimezone(UTC) if moment else None
    except OverflowError as error:
        raise msgspec.ValidationError(str(error)) from error


def refused(faults: list[Fault]) -> Invalid:
    """The one Invalid that tells all faults, or as many as anyone will read."""
    return Invalid(summary(faults), faults=faults[:MAX_FAULTS])


def summary(faults: list[Fault]) -> str:
    """The faults in one line."""
    if len(faults) == 1:
        return f"{faults[0].pointer or 'the event'}: {faults[0].detail}"
    return f"{len(faults)} faults; `errors` has each"


def faults_in(kind: type[Struct], value: object) -> list[Fault]:
    """Every fault of a decoded value as a `kind`; none exactly when msgspec takes it, too."""
    if not isinstance(value, Mapping):
        return [Fault("", "must be an object", "wrong_type")]
    return [*_unknown_fields(kind, value), *_wrong_fields(kind, value)]


def _unknown_fields(kind: type[Struct], value: Mapping[str, object]) -> Iterator[Fault]:
    if kind.__struct_config__.forbid_unknown_fields:
        unknown = (name for name in value if name not in kind.__struct_fields__)
        yield from (Fault(pointer(name), "there is no such field", "unknown_field") for name in unknown)


def _wrong_fields(kind: type[Struct], value: Mapping[str, object]) -> Iterator[Fault]:
    for field in _fields(kind):
        if complaint := _of_field(field, value):
            yield Fault(pointer(field.name), *complaint)


@cache
def _fields(kind: type[Struct]) -> tuple[inspect.Field, ...]:
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    return described.fields


def _of_field(field: inspect.Field, value: Mapping[str, object]) -> Complaint | None:
    if field.name not in value:
        return REQUIRED if field.required else None
    found, kind = value[field.name], field.type
    if isinstance(kind, inspect.RawType):
        return None
    if found is None:
        return REQUIRED if field.required else None
    if isinstance(kind, inspect.UnionType):  # `| None`, and it isn't None
        [kind] = (one for one in kind.types if not isinstance(one, inspect.NoneType))
    if isinstance(kind, inspect.ListType):
        return None if isinstance(found, list) else ("must be an array", "wrong_type")
    if not isinstance(found, str):
        return "must be a string", "wrong_type"
    return _of_text(kind, found) if isinstance(kind, inspect.StrType) else _of_moment(found)


def _of_text(kind: inspect.StrType, text: str) -> Complaint | None:
    if kind.max_length is not None and len(text) > kind.max_length:
        return f"has {len(text)} characters, at most {kind.max_length} are taken", "too_long"
    if kind.min_length is not None and len(text) < kind.min_length:
        return "must not be empty", "too_short"
    if kind.pattern == SOURCE_SYNTAX and text == RESERVED:
        return f"must not be {RESERVED!r}, by which Trunkline's own events are known", "reserved"
    if kind.pattern is not None and not re.search(kind.pattern, text):
        return _OF_SYNTAX[kind.pattern]
    return None


def _of_moment(text: str) -> Complaint | None:
    try:
        in_utc(msgspec.convert(text, Moment))
    except msgspec.ValidationError:
        return "must be a time as in RFC 3339 with an offset: `2030-01-02T03:04:05Z`", "invalid_format"
    return None
