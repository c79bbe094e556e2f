"""Event types from the definitions of a JSON Schema."""

from typing import Any

from apps.events.importing.bundling import Bundle, definitions_in, unescaped
from apps.events.schemas.walk import Object
from apps.kernel.errors import Invalid
from apps.kernel.strict_json import pointer

MOVES = {"/definitions": "/definitions", "/$defs": "/$defs"}
_CONTAINERS = {"definitions", "$defs"}
_DESCRIBES = {"type", "properties", "required", "items", "enum", "const", "allOf", "oneOf", "anyOf"}

type Found = tuple[str, str, dict[str, Any]]  # name, description, schema
type Place = tuple[str, str]  # container and name of a definition


def is_schema(document: Object) -> bool:
    """Whether the document looks like a JSON Schema."""
    return bool(({"$schema", "$ref"} | _CONTAINERS | _DESCRIBES) & document.keys())


def definitions(document: Object) -> list[Found]:
    """Each event type by its definition's name; raises Invalid where there is none."""
    places = _referred_to(document)
    if not places and _DESCRIBES & document.keys():
        return [_itself(document)]
    places = places or [(container, name) for container in MOVES for name in definitions_in(document, container)]
    if not places:
        raise Invalid("this JSON Schema has no definitions to make event types of", code="no_types")
    return [_definition(document, *place) for place in places]


def _referred_to(document: Object) -> list[Place]:
    """The definitions the top level is made of, where it is a list of references and nothing else."""
    branches = [document] if "$ref" in document else document.get("oneOf", document.get("anyOf"))
    if not isinstance(branches, list):
        return []
    places = [_place(document, branch) for branch in branches]
    return [place for place in places if place] if all(places) else []


def _place(document: Object, branch: Any) -> Place | None:
    reference = str(branch.get("$ref", "")) if isinstance(branch, dict) else ""
    for container in MOVES:
        name = unescaped(reference.removeprefix(f"#{container}/"))
        if reference.startswith(f"#{container}/") and name in definitions_in(document, container):
            return container, name
    return None


def _itself(document: Object) -> Found:
    title = document.get("title")
    if not isinstance(title, str) or not title.strip():
        raise Invalid("this JSON Schema is a single type and has no `title` to call it by", code="no_types")
    return title.strip(), _description(document, ""), dict(document)


def _definition(document: Object, container: str, name: str) -> Found:
    definition = definitions_in(document, container)[name]
    if not isinstance(definition, dict):  # `true` or `false`
        definition = {} if definition else {"not": {}}
    bundle = Bundle(document, MOVES)
    if _CONTAINERS & definition.keys():
        # Its own definitions would be in the way of those that come along.
        schema = bundle.schema({"$ref": f"#{container}{pointer(name)}"})
    else:
        schema = bundle.schema(definition)
    head = {keyword: document[keyword] for keyword in ("$schema", "$id") if keyword in document}
    return name, _description(definition, name), head | schema


def _description(schema: Object, name: str) -> str:
    described = (schema.get(keyword) for keyword in ("description", "title"))
    return next((text.strip() for text in described if isinstance(text, str) and text.strip() != name), "")
