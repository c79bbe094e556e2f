"""CloudEvents extension attributes: the few we give a meaning, and the rest, which travel along."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from apps.intake.parsing import headers
from apps.intake.parsing.fields import TEXT_SYNTAX
from apps.intake.parsing.limits import (
    MAX_CONSUMER,
    MAX_EXTENSION_NAME,
    MAX_EXTENSION_VALUE,
    MAX_EXTENSIONS,
    MAX_TEXT,
)
from apps.kernel.errors import Fault
from apps.kernel.strict_json import pointer

_NAME = re.compile(rf"[a-z0-9]{{1,{MAX_EXTENSION_NAME}}}")
_TEXT = re.compile(TEXT_SYNTAX)
_LENGTHS = {"consumer": MAX_CONSUMER, "orderingkey": MAX_TEXT, "partitionkey": MAX_TEXT}
_OURS = {*_LENGTHS, "traceparent"}
_INTEGERS = range(-(2**31), 2**31)  # CloudEvents 1.0.2, "Type System"


@dataclass(frozen=True, slots=True)
class Extensions:
    """A CloudEvent's extension attributes, in their canonical string representation."""

    consumer: str = ""
    ordering_key: str = ""
    traceparent: str = ""
    others: Mapping[str, str] = field(default_factory=dict)


def read(attributes: Mapping[str, object]) -> Extensions:
    """The attributes sorted out; only for those without `faults_in`. Null is the same as not there."""
    texts = {name: _canonical(value) for name, value in attributes.items() if value is not None}
    return Extensions(
        consumer=texts.get("consumer", ""),
        ordering_key=texts.get("orderingkey") or texts.get("partitionkey", ""),
        traceparent=headers.traceparent(texts.get("traceparent")),
        others={name: text for name, text in texts.items() if name not in _OURS},
    )


def faults_in(attributes: Mapping[str, object]) -> Iterator[Fault]:
    """Every fault of the attributes, with pointers as if they stood in structured mode."""
    given = {name: value for name, value in attributes.items() if value is not None}
    yield from (fault for name, value in given.items() for fault in _faults_of(name, value))
    if len(given.keys() - _OURS) > MAX_EXTENSIONS:
        yield Fault("", f"has more than {MAX_EXTENSIONS} extension attributes", "too_many")
    keys = {_canonical(given[name]) for name in ("orderingkey", "partitionkey") if name in given}
    if len(keys) > 1:
        yield Fault("/partitionkey", "differs from `orderingkey`, which means the same here", "conflict")


def _faults_of(name: str, value: object) -> Iterator[Fault]:
    if not _NAME.fullmatch(name):
        rule = f"1 to {MAX_EXTENSION_NAME} lower-case letters and digits"
        yield Fault(pointer(name), f"is no attribute: extension names are {rule}", "unknown_field")
    elif not isinstance(value, str | bool | int):
        yield Fault(pointer(name), "must be a string, a boolean or an integer", "wrong_type")
    elif isinstance(value, int) and value not in _INTEGERS:
        yield Fault(pointer(name), "must be an integer of 32 bits; send larger ones as a string", "out_of_range")
    elif isinstance(value, str):
        yield from _faults_of_text(name, value)


def _faults_of_text(name: str, text: str) -> Iterator[Fault]:
    most = _LENGTHS.get(name, MAX_EXTENSION_VALUE)
    if len(text) > most:
        yield Fault(pointer(name), f"has {len(text)} characters, at most {most} are taken", "too_long")
    elif not _TEXT.match(text):
        yield Fault(pointer(name), "must not contain control characters", "control_character")


def _canonical(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
