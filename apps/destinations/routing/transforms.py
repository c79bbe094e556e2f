"""Transformations as users write them, checked when they are saved, and applied: both in a worker."""

import re
from typing import Any

import msgspec

from apps.destinations.routing.jobs import Apply, Check, Facts, Failed, Made, Transform
from apps.destinations.routing.workers import Overrun, Unavailable, Workers, workers
from apps.kernel import errors
from apps.kernel.errors import Fault, Invalid

CPU = 0.25  # seconds for one event
CHECK_CPU = 0.5  # to compile it, which is done each time a worker is new to it
LARGEST = 1_000_000  # bytes of data that are transformed, and of the result
LONGEST_PATH, LONGEST_TEMPLATE = 4_000, 20_000  # characters
_CONTENT_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+(; ?charset=utf-8)?")
_WHERE = re.compile(r" - at `\$\.?(.*)`$")

TRANSFORM_SCHEMA = {
    "type": ["object", "null"],
    "description": "What becomes of an event's data on its way: by a JMESPath expression or by a Jinja2 template.",
    "properties": {
        "jmespath": {"type": "string", "maxLength": LONGEST_PATH, "description": "over the data; gives the new data"},
        "template": {"type": "string", "maxLength": LONGEST_TEMPLATE, "description": "over `event`; gives JSON"},
        "raw": {"type": "boolean", "description": "the result is the whole body"},
        "content_type": {"type": "string", "description": "of a raw body that is no JSON"},
    },
    "additionalProperties": False,
}


class TransformFailed(Exception):
    """There is no result for this event; the text is for people."""


class TransformOverran(TransformFailed):
    """It took too much, and would again."""


def check_transform(value: object, *, pointer: str = "/transform", by: Workers = workers) -> dict[str, Any]:
    """What is stored: plain JSON, empty for none. Raises Invalid with a fault that says where, and Unavailable."""
    if value is None or value == {}:
        return {}
    transform = _shaped(value, pointer)
    language = "jmespath" if transform.jmespath is not None else "template"
    try:
        answer = by.run(Check(transform, CHECK_CPU))
    except Overrun as overrun:
        raise _invalid(str(overrun), f"{pointer}/{language}") from None
    except Unavailable as trouble:
        raise errors.Unavailable(f"the transformation could not be checked: {trouble}") from None
    if isinstance(answer, Failed):
        raise _invalid(answer.detail, f"{pointer}/{language}")
    stored: dict[str, Any] = msgspec.to_builtins(transform)
    return stored


def stored_transform(text: str) -> Transform | None:
    """From its column's JSON text."""
    return None if text in {"{}", "null", ""} else msgspec.json.decode(text, type=Transform)


def transformed(transform: Transform, event: Facts, *, by: Workers = workers) -> bytes:
    """The event's new data, or with `raw` the whole body. Blocks; raises TransformFailed and Unavailable."""
    if len(event.data) > LARGEST:
        raise TransformFailed(f"the data has {len(event.data)} bytes, and at most {LARGEST} are transformed")
    try:
        answer = by.run(Apply(transform, event, LARGEST, CPU))
    except Overrun as overrun:
        raise TransformOverran(str(overrun)) from None
    if isinstance(answer, Made):
        return answer.body
    raise TransformFailed(answer.detail if isinstance(answer, Failed) else "no result")


def _shaped(value: object, pointer: str) -> Transform:
    try:
        found = msgspec.convert(value, Transform, strict=True)
    except msgspec.ValidationError as error:
        place = _WHERE.search(str(error))
        where = f"{pointer}/{place[1]}" if place and place[1] else pointer
        raise _invalid(_WHERE.sub("", str(error)), where) from None
    if (found.jmespath is None) == (found.template is None):
        raise _invalid("give one of jmespath and template", pointer)
    if len(found.jmespath or "") > LONGEST_PATH:
        raise _invalid(f"is longer than {LONGEST_PATH} characters", f"{pointer}/jmespath")
    if len(found.template or "") > LONGEST_TEMPLATE:
        raise _invalid(f"is longer than {LONGEST_TEMPLATE} characters", f"{pointer}/template")
    if found.content_type is not None:
        _check_content_type(found, pointer)
    return found


def _check_content_type(found: Transform, pointer: str) -> None:
    if found.template is None or not found.raw:
        raise _invalid("is for a raw template only; all else is JSON", f"{pointer}/content_type")
    if not _CONTENT_TYPE.fullmatch(found.content_type or ""):
        raise _invalid("must be like text/plain or text/plain; charset=utf-8", f"{pointer}/content_type")


def _invalid(detail: str, pointer: str) -> Invalid:
    return Invalid("the transformation is not valid", faults=[Fault(pointer, detail)])
