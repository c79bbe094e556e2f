"""Which event types a document defines, whatever kind of document it is."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from apps.events.importing import json_schema, openapi
from apps.events.importing.reading import read_document
from apps.kernel.errors import Invalid

SYNTAX = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
MAX_NAME = 128
MAX_DESCRIPTION = 1_000


@dataclass(frozen=True, slots=True)
class ImportedType:
    """An event type as found in a document."""

    name: str
    description: str
    schema: dict[str, Any]  # complete in itself


def read_event_types(text: str, *, prefix: str = "") -> list[ImportedType]:
    """The event types in a JSON or YAML text, in its order, with `prefix` before each name.

    From a JSON Schema: each definition its top-level `oneOf`, `anyOf` or `$ref` refers to, else each of its
    definitions, else itself by its `title`. From OpenAPI: each webhook with the body it sends.

    Raises Malformed for a text that can't be read, TooLarge, and Invalid for a document that defines no types.
    """
    document = read_document(text)
    if "openapi" in document:
        found = openapi.webhooks(document)
    elif json_schema.is_schema(document):
        found = json_schema.definitions(document)
    else:
        raise Invalid(
            "this is neither a JSON Schema (with `definitions`, `$defs` or a `title`) nor an OpenAPI document "
            "with `webhooks`",
            code="unknown_document",
        )
    types = [
        ImportedType(type_name(name, prefix), description[:MAX_DESCRIPTION], schema)
        for name, description, schema in found
    ]
    _refuse_repeated(one.name for one in types)
    return types


def type_name(name: str, prefix: str = "") -> str:
    """A definition's name as an event type's: `push$event` gives `push`, `issues$opened` gives `issues.opened`.

    Raises Invalid where nothing that can be a name is left.
    """
    bare = re.sub(r"(\$|_)event\Z", "", name) or name
    spelt = re.sub(r"[^A-Za-z0-9._-]+", "_", bare.replace("$", "."))
    full = prefix + re.sub(r"\.{2,}", ".", spelt).strip(".")
    if not SYNTAX.fullmatch(full) or len(full) > MAX_NAME:
        rule = f"words of letters, digits, `_` and `-`, joined by dots, at most {MAX_NAME} characters"
        raise Invalid(f"{name[:100]!r} makes no name of an event type, which is {rule}", code="invalid_name")
    return full


def _refuse_repeated(names: Iterable[str]) -> None:
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise Invalid(f"more than one definition would be called {', '.join(repeated[:5])}", code="repeated_name")
