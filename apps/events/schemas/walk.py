"""The anatomy of a JSON Schema: where schemas stand within one, and what its references lead to."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

type Object = dict[str, Any]
type Path = tuple[str | int, ...]

# Every keyword of drafts 4 to 2020-12 that holds schemas, by how it holds them. `items` and `dependencies` do so
# in two ways.
_SCHEMA = {
    *("additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not"),
    *("propertyNames", "then", "unevaluatedItems", "unevaluatedProperties"),
}
_SCHEMAS = {"allOf", "anyOf", "items", "oneOf", "prefixItems"}
_NAMED_SCHEMAS = {
    *("$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"),
}
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
ROOT = "https://schema.invalid/"  # the base of a document that names none


def subschemas(schema: Object) -> Iterator[tuple[str, str | int | None, Any]]:
    """Every schema directly within this one: its keyword, name or index where there are several, and itself."""
    for keyword, held in schema.items():
        if isinstance(held, dict | bool) and keyword in _SCHEMA:
            yield keyword, None, held
        elif isinstance(held, list) and keyword in _SCHEMAS:
            yield from ((keyword, index, one) for index, one in enumerate(held) if isinstance(one, dict | bool))
        elif isinstance(held, dict) and keyword in _NAMED_SCHEMAS:
            yield from ((keyword, name, one) for name, one in held.items() if isinstance(one, dict | bool))


@dataclass(frozen=True, slots=True)
class Reference:
    """One `$ref` or its like, where it stands, and what relative to."""

    path: Path
    base: str
    text: str


@dataclass(slots=True)
class Document:
    """A schema with its embedded resources (`$id`), anchors and references, found in one walk."""

    root: Object
    references: list[Reference] = field(default_factory=list)
    dynamic: dict[str, list[Object]] = field(default_factory=dict)  # by the anchor's name
    bases: dict[int, str] = field(default_factory=dict)  # by the id() of each schema
    _visited: list[tuple[Object, Path]] = field(default_factory=list)
    _resources: dict[str, Object] = field(default_factory=dict)
    _anchors: dict[tuple[str, str], Object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._resources[ROOT] = self.root
        self._visit(self.root, (), ROOT)
        for reference in self.references:  # grows on the way
            self._visit_target(reference)

    @property
    def number_of_schemas(self) -> int:
        return len(self._visited)

    def is_local(self, reference: Reference) -> bool:
        """Whether it leads into a resource of this document."""
        return _resolved(reference.base, reference.text)[0] in self._resources

    def target(self, base: str, text: str) -> Any:
        """The schema referred to; raises LookupError for one that isn't in this document."""
        url, fragment = _resolved(base, text)
        resource = self._resources[url]
        fragment = unquote(fragment)
        if fragment and not fragment.startswith("/"):
            return self._anchors[url, fragment]
        return at_pointer(resource, fragment)

    def patterns(self) -> Iterator[tuple[str, Path]]:
        """Every regular expression, with where it stands."""
        for schema, path in self._visited:
            if isinstance(pattern := schema.get("pattern"), str):
                yield pattern, (*path, "pattern")
            named = schema.get("patternProperties")
            for pattern in named if isinstance(named, dict) else ():
                yield pattern, (*path, "patternProperties", pattern)

    def _visit_target(self, reference: Reference) -> None:
        """A reference may lead to where schemas don't stand otherwise, such as `#/x-models/a`."""
        try:
            base = _resolved(reference.base, reference.text)[0]
            found = self.target(reference.base, reference.text)
        except (LookupError, ValueError):
            return  # told of by `check`
        if isinstance(found, dict) and id(found) not in self.bases:
            self._visit(found, reference.path, base)

    def _visit(self, schema: Object, path: Path, base: str) -> None:
        if id(schema) in self.bases:
            return
        base = self._enter(schema, base)
        self.bases[id(schema)] = base
        self._visited.append((schema, path))
        for keyword in REFERENCES:
            if isinstance(text := schema.get(keyword), str):
                self.references.append(Reference((*path, keyword), base, text))
        for keyword, token, inner in subschemas(schema):
            if isinstance(inner, dict):
                self._visit(inner, (*path, keyword, *(() if token is None else (token,))), base)

    def _enter(self, schema: Object, base: str) -> str:
        """Note what the schema is known by; returns the base within it."""
        name = schema.get("id" if "draft-04" in str(self.root.get("$schema")) else "$id")
        if isinstance(name, str):
            url, fragment = _resolved(base, name)
            if fragment:  # drafts 4 to 7: an anchor
                self._anchors[url, fragment] = schema
            else:
                base = url
                self._resources[url] = schema
        for keyword in ("$anchor", "$dynamicAnchor"):
            if isinstance(anchor := schema.get(keyword), str):
                self._anchors[base, anchor] = schema
        if isinstance(anchor := schema.get("$dynamicAnchor"), str):
            self.dynamic.setdefault(anchor, []).append(schema)
        return base


def _resolved(base: str, text: str) -> tuple[str, str]:
    """A URI reference as resource and fragment (RFC 3986, 5); raises ValueError for one that is none."""
    if text.startswith("#"):
        return base, text[1:]
    url, fragment = urldefrag(urljoin(base, text))
    return url, fragment


def at_pointer(document: Any, pointer: str) -> Any:
    """What a JSON Pointer (RFC 6901) leads to; raises LookupError where that is nothing."""
    for token in pointer.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        if isinstance(document, list) and token.isdecimal():
            document = document[int(token)]
        elif isinstance(document, dict):
            document = document[token]
        else:
            raise LookupError(pointer)
    return document
