"""Why a value doesn't match: the failed keywords, and of alternatives those of the one that was meant."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from apps.events.schemas.walk import at_pointer
from apps.events.schemas.words import detail, snake_case
from apps.kernel.errors import Fault

MAX_POINTER = 1_000  # characters
MOST_FAILED = 50_000  # schemas; explaining more takes seconds

type Failed = set[tuple[str, str]]  # all that failed, by path through the schema and place in the value


@dataclass(frozen=True, slots=True)
class Failure:
    """One keyword that failed on one value."""

    path: tuple[str, ...]  # through the schema, `$ref`s followed
    place: str  # JSON Pointer to the value
    keyword: str
    arguments: tuple[Any, ...]  # the keyword's in the schema, one; none where unknown
    message: str

    def fault(self) -> Fault:
        words = detail(self.keyword, next(iter(self.arguments), None), self.message)
        return Fault(self.place[:MAX_POINTER], words, snake_case(self.keyword))

    def is_tag_of(self, place: str) -> bool:
        """Whether it failed for the value at that place, or for what is right below."""
        return place in {self.place, self.place.rpartition("/")[0]}

    def branch(self, steps: int) -> int | None:
        """Where the next alternative on the path begins, from so many steps on: the index of its number."""
        for index in range(steps, len(self.path) - 1):
            if self.path[index] in {"anyOf", "oneOf"} and self.path[index + 1].isdecimal():
                return index + 1
        return None


def explained(schema: Any, evaluation: jsonschema_rs.Evaluation) -> list[Fault]:
    """The faults an evaluation of a value found, with pointers into the value; none where they are too many."""
    units = [unit for unit in evaluation.list()["details"] if not unit["valid"]]
    if len(units) > MOST_FAILED:
        return []
    failed = {(unit["evaluationPath"], unit["instanceLocation"]) for unit in units}
    failures = [failure for unit in units for failure in _failures(schema, unit)]
    return list(dict.fromkeys(_Branch(failures, 0, "", failed).faults))


def _failures(schema: Any, unit: "jsonschema_rs.OutputUnit") -> Iterator[Failure]:
    path = unit["evaluationPath"]
    steps = tuple(path.split("/")[1:])
    for keyword, messages in unit.get("errors", {}).items():
        if keyword == "falseSchema" and path.endswith(("/unevaluatedProperties", "/unevaluatedItems")):
            continue  # said once more, by the keyword itself
        if keyword == "falseSchema" and path.endswith("/additionalProperties"):
            keyword = "additionalProperties"
        arguments = _arguments(schema, unit["schemaLocation"], keyword)
        for message in _listed(messages):
            yield Failure(steps, unit["instanceLocation"], keyword, arguments, message)


def _listed(messages: str | list[str]) -> list[str]:
    """Several missing properties come as a list, against the library's own types."""
    return [messages] if isinstance(messages, str) else messages


def _arguments(schema: Any, location: str, keyword: str) -> tuple[Any, ...]:
    try:
        return (at_pointer(schema, location),) if location.endswith(f"/{keyword}") else ()
    except LookupError:
        return ()  # in an embedded resource, which has locations of its own


def _place_of_union(failure: Failure, branch: int, failed: Failed) -> str | None:
    """The value the union was for; None where the union as a whole holds, so that this failure doesn't matter."""
    path, place = "/" + "/".join(failure.path[:branch]), failure.place
    while (path, place) not in failed:
        if not place:
            return None
        place = place.rpartition("/")[0]
    return place


class _Branch:
    """A schema that failed, with the unions within it: one alternative of a union, or the whole."""

    def __init__(self, failures: list[Failure], steps: int, place: str, failed: Failed) -> None:
        own = [failure for failure in failures if failure.branch(steps) is None]
        unions = list(_unions(failures, steps, failed))
        self.faults = [failure.fault() for failure in own] + [fault for union in unions for fault in union.faults]
        # Unions for the same value say of the whole branch what they say of themselves.
        unions = [union for union in unions if union.place == place]
        self.types: list[Any] = [union.types for union in unions if union.types]
        # A constant, or one right below, tells alternatives apart: `action`, `kind`, `type`.
        self.tags: dict[str, list[Any]] = {}
        for failure in own:
            if failure.keyword == "type" and failure.place == place:
                self.types.append(_different(failure.arguments))
            elif failure.keyword == "enum" and failure.is_tag_of(place):
                self.tags[failure.place] = _different(failure.arguments)
            elif failure.keyword == "const" and failure.is_tag_of(place):
                self.tags[failure.place] = list(failure.arguments)
        for union in unions:
            self.tags |= union.tags

    @property
    def distance(self) -> tuple[bool, int, int]:
        """How far it is from being what was meant: of another type, with other tags, with more faults."""
        return bool(self.types), len(self.tags), len(self.faults)


class _Union:
    """An `anyOf` or `oneOf` none of whose alternatives holds."""

    def __init__(self, keyword: str, place: str, branches: list[_Branch]) -> None:
        self.keyword, self.place, self._branches = keyword, place, branches
        fitting = [branch for branch in branches if not branch.types]
        self.types: list[Any] = [] if fitting else [kind for branch in branches for kind in branch.types]
        shared = (place for place in fitting[0].tags if all(place in one.tags for one in fitting)) if fitting else ()
        self.tags: dict[str, list[Any]] = {place: _different([one.tags[place] for one in fitting]) for place in shared}

    @property
    def faults(self) -> list[Fault]:
        best = min(self._branches, key=lambda branch: branch.distance)
        meant = sum(not branch.types and not branch.tags for branch in self._branches)
        if meant == 1:
            return best.faults
        if self.types:
            return [Fault(self.place[:MAX_POINTER], detail("type", _different(self.types) or None, ""), "type")]
        if self.tags:
            return [
                Fault(place[:MAX_POINTER], detail("enum", tags or None, ""), "enum")
                for place, tags in self.tags.items()
            ]
        return [Fault(self.place[:MAX_POINTER], detail(self.keyword, None, ""), snake_case(self.keyword)), *best.faults]


def _unions(failures: Iterable[Failure], steps: int, failed: Failed) -> Iterator[_Union]:
    """The unions next on the paths of these failures, from so many steps on."""
    found: dict[tuple[str, int, str], dict[str, list[Failure]]] = {}
    for failure in failures:
        branch = failure.branch(steps)
        if branch is not None and (place := _place_of_union(failure, branch, failed)) is not None:
            path = "/".join(failure.path[:branch])
            found.setdefault((path, branch, place), {}).setdefault(failure.path[branch], []).append(failure)
    for (path, branch, place), branches in found.items():
        inner = [_Branch(failures, branch + 1, place, failed) for failures in branches.values()]
        yield _Union(path.rpartition("/")[2], place, inner)


def _different(lists: Iterable[Any]) -> list[Any]:
    """The elements of the lists, and of the lists in them, each once; what isn't a list counts as an element."""
    flat: dict[str, Any] = {}
    for one in lists:
        inner = _different(one) if isinstance(one, list) else [one]
        flat |= {json.dumps(element): element for element in inner}
    return list(flat.values())
