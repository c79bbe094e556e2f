"""What each keyword of JSON Schema asks for, in words short enough for an answer."""

import json
import re
from typing import Any

MAX_DETAIL = 300  # characters
_MAX_ARGUMENT = 120

_ASKS = {
    "type": "must be of type {}",
    "const": "must be {}",
    "enum": "must be one of {}",
    "format": "must be a valid {}",
    "pattern": "must match the pattern {}",
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "multipleOf": "must be a multiple of {}",
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "minItems": "must have at least {} elements",
    "maxItems": "must have at most {} elements",
    "minProperties": "must have at least {} properties",
    "maxProperties": "must have at most {} properties",
}
_SAYS = {
    "uniqueItems": "must not have the same element twice",
    "contains": "must have an element such as `contains` asks for",
    "not": "must not be what `not` describes",
    "falseSchema": "must not be there",
    "additionalProperties": "has properties that aren't allowed",
    "anyOf": "matches none of its alternatives",
    "oneOf": "matches none, or more than one, of its alternatives",
}
_UNEXPECTED = re.compile(r"\((.*) w(?:as|ere) unexpected\)", re.DOTALL)


def snake_case(keyword: str) -> str:
    """`additionalProperties` gives `additional_properties`, `$ref` gives `ref`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", keyword.removeprefix("$")).lower()


def detail(keyword: str, argument: Any, message: str) -> str:
    """What is wrong with a value at this keyword.

    `argument` is the keyword's in the schema, None where unknown; `message` is the library's, which may repeat the
    value and is used only for the names in it.
    """
    if keyword == "required":
        return f"lacks the property {shortened(message.removesuffix(' is a required property'))}"
    if unexpected := _UNEXPECTED.search(message):
        return f"has what isn't allowed: {unexpected[1]}"[:MAX_DETAIL]
    if keyword in _SAYS:
        return _SAYS[keyword]
    if argument is None or keyword not in _ASKS:
        return f"isn't as `{keyword}` asks for"
    return _ASKS[keyword].format(spelt(argument))


def spelt(argument: Any) -> str:
    """A keyword's argument for people: lists as alternatives, the rest as JSON."""
    if isinstance(argument, list):
        return shortened(", ".join(json.dumps(one, ensure_ascii=False) for one in argument[:50]))
    return shortened(argument if isinstance(argument, str) else json.dumps(argument, ensure_ascii=False))


def shortened(text: str) -> str:
    return text if len(text) <= _MAX_ARGUMENT else text[: _MAX_ARGUMENT - 1] + "…"
