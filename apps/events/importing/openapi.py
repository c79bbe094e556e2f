"""Event types from the webhooks of an OpenAPI document: `webhooks` since 3.1, `x-webhooks` before."""

from collections.abc import Iterator
from typing import Any

from apps.events.importing.bundling import Bundle, Change, unchanged
from apps.events.schemas.check import DRAFTS
from apps.events.schemas.walk import Object, at_pointer
from apps.kernel.errors import Invalid

MOVES = {"/components/schemas": "/$defs"}
METHODS = ("post", "put", "patch", "get", "delete", "options", "head", "trace")
LATEST = "https://json-schema.org/draft/2020-12/schema"


def webhooks(document: Object) -> list[tuple[str, str, dict[str, Any]]]:
    """Name, description and schema of the JSON each webhook sends; raises Invalid where there is none."""
    hooks = document.get("webhooks", document.get("x-webhooks"))
    if not isinstance(hooks, dict) or not hooks:
        raise Invalid("this OpenAPI document has no `webhooks` (or `x-webhooks`)", code="no_types")
    change = _of_3_0 if str(document["openapi"]).startswith("3.0") else unchanged
    head = {"$schema": _dialect(document)}
    return [
        (name, _description(document, hook), head | _schema(document, hook, change)) for name, hook in hooks.items()
    ]


def _dialect(document: Object) -> str:
    named = document.get("jsonSchemaDialect")
    known = isinstance(named, str) and named.partition("://")[2].removesuffix("#") in DRAFTS
    return str(named) if known else LATEST  # OpenAPI's own dialect is the latest draft and annotations


def _operations(document: Object, hook: Any) -> Iterator[Object]:
    item = _resolved(document, hook)
    yield from (operation for method in METHODS if (operation := _resolved(document, item.get(method))))


def _description(document: Object, hook: Any) -> str:
    described = [*_operations(document, hook), _resolved(document, hook)]
    texts = (one.get(keyword) for one in described for keyword in ("summary", "description"))
    return next((text.strip() for text in texts if isinstance(text, str) and text.strip()), "")


def _schema(document: Object, hook: Any, change: Change) -> Object:
    """The schema of the first operation's JSON body; of one without, anything."""
    for operation in _operations(document, hook):
        content = _resolved(document, operation.get("requestBody")).get("content")
        for media_type, body in content.items() if isinstance(content, dict) else ():
            schema = _resolved(document, body).get("schema")
            if media_type.partition(";")[0].strip().endswith(("/json", "+json")) and isinstance(schema, dict):
                return Bundle(document, MOVES, change).schema(schema)
    return {}


def _resolved(document: Object, found: Any) -> Object:
    """What stands there, or what the reference that stands there leads to; nothing for anything else."""
    for _ in range(10):
        if not isinstance(found, dict):
            break
        if "$ref" not in found:
            return found
        try:
            found = at_pointer(document, str(found["$ref"]).removeprefix("#"))
        except LookupError:
            break
    return {}


def _of_3_0(schema: Object) -> Object:
    """A schema object of OpenAPI 3.0 in today's JSON Schema; not those within it."""
    if "$ref" in schema:  # all beside it is ignored, but this much is often meant
        return _or_null({"$ref": schema["$ref"]}) if schema.get("nullable") is True else {"$ref": schema["$ref"]}
    copy = {keyword: held for keyword, held in schema.items() if keyword != "nullable"}
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(copy.get(exclusive), bool) and copy.pop(exclusive) and bound in copy:
            copy[exclusive] = copy.pop(bound)
    return _or_null(copy) if schema.get("nullable") is True else copy


def _or_null(schema: Object) -> Object:
    kind = schema.get("type")
    if not isinstance(kind, str):
        return {"anyOf": [schema, {"type": "null"}]}
    schema = {**schema, "type": [kind, "null"]}
    if isinstance(values := schema.get("enum"), list) and None not in values:
        schema["enum"] = [*values, None]
    return schema
