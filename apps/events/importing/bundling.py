"""Making a schema complete in itself: what it refers to elsewhere in its document comes along."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

from apps.events.schemas.walk import Object, at_pointer, subschemas
from apps.kernel.errors import Invalid
from apps.kernel.strict_json import pointer

type Moves = Mapping[str, str]  # from where definitions stand in the document to where in the schema, as pointers
type Change = Callable[[Object], Object]


_IN_FRAGMENT = "/?:@!$&'()*+,;=~"  # besides letters, digits and `-._` (RFC 3986, 3.5)


def unchanged(schema: Object) -> Object:
    return schema


class Bundle:
    """The definitions a schema needs, collected while it is copied."""

    def __init__(self, document: Object, moves: Moves, change: Change = unchanged) -> None:
        self._document, self._moves, self._change = document, moves, change
        self._needed: list[tuple[str, str]] = []  # by container and name
        self._known: set[tuple[str, str]] = set()

    def schema(self, definition: Object) -> Object:
        """A copy of the definition with all it refers to, directly or not, under the keywords of `moves`."""
        copy: Object = self._copied(definition)
        held: dict[str, Object] = {}
        for container, name in self._needed:  # which grows meanwhile
            found = at_pointer(self._document, container).get(name)
            if found is not None:  # else it dangles, and `check_schema` says so
                held.setdefault(self._moves[container].removeprefix("/"), {})[name] = self._copied(found)
        return copy | held

    def need(self, container: str, name: str) -> str:
        """Take a definition along; returns the reference to it."""
        if (container, name) not in self._known:
            self._known.add((container, name))
            self._needed.append((container, name))
        return f"#{quote(self._moves[container] + pointer(name), safe=_IN_FRAGMENT)}"

    def _copied(self, schema: Any) -> Any:
        if not isinstance(schema, dict):
            return schema
        copy = dict(self._change(schema))
        if isinstance(copy.get("$ref"), str):
            copy["$ref"] = self._followed(copy["$ref"])
        for keyword, token, inner in list(subschemas(copy)):
            if token is None:
                copy[keyword] = self._copied(inner)
                continue
            if copy[keyword] is schema.get(keyword):
                copy[keyword] = copy[keyword].copy()
            copy[keyword][token] = self._copied(inner)
        return copy

    def _followed(self, reference: str) -> str:
        if reference == "#":
            raise Invalid("a definition refers to the whole document (`#`) and can't stand alone", code="no_types")
        for container in self._moves:
            if reference.startswith(f"#{container}/"):
                name, *deeper = reference.removeprefix(f"#{container}/").split("/")
                return "/".join([self.need(container, unescaped(name)), *deeper])
        if not reference.startswith("#/"):
            # By an anchor or an `$id`: it may be in any definition.
            for container, name in self._everything():
                self.need(container, name)
        return reference

    def _everything(self) -> Iterator[tuple[str, str]]:
        for container in self._moves:
            yield from ((container, name) for name in definitions_in(self._document, container))


def definitions_in(document: Object, container: str) -> Object:
    """The definitions at a pointer, none where there is nothing."""
    try:
        found = at_pointer(document, container)
    except LookupError:
        return {}
    return found if isinstance(found, dict) else {}


def unescaped(token: str) -> str:
    """A token of a JSON Pointer in a URI fragment, as the name it stands for (RFC 6901, 4 and 6)."""
    return unquote(token).replace("~1", "/").replace("~0", "~")
