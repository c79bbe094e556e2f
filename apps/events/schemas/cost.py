"""How much work a schema can make: a bound on what validation visits, known before anything is validated.

A validator applies several schemas to the same value: the branches of a `oneOf`, the parts of an `allOf`. Where those
lead on to several again, work doubles with each step, and a page of schema with a line of data keeps a processor
busy for years. So the schema is read as an automaton that runs over the value: a state is the set of schemas applied
to one value, with how often, and a step leads into a property or an element. The heaviest state at each depth bounds
the work for any value of that depth.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import chain
from typing import Any

from apps.events.schemas.patterns import cost_per_character
from apps.events.schemas.walk import REFERENCES, ROOT, Document, Object, subschemas

MAX_DEPTH = 64  # of values, as `strict_json` has it
MOST = 10**12  # more is all the same
EFFORT = 400_000  # steps spent on the analysis itself

_BESIDE = {"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies"}
_OTHER_NAMES = {"additionalProperties", "unevaluatedProperties"}
_ANY_NAME = {"patternProperties", "propertyNames"}
_ELEMENTS = {"items", "prefixItems", "additionalItems", "unevaluatedItems", "contains"}

type Counts = dict[int, int]  # how often a schema, by its number, is applied
type State = tuple[tuple[int, int], ...]


class TooComplex(Exception):
    """The bound, or finding it, is beyond what we spend; the message says why."""


@dataclass(slots=True)
class Node:
    """One schema and those it leads to, by their numbers."""

    visits: int = 1  # what one application of it counts for
    text: int = 0
    beside: list[int] = field(default_factory=list)  # applied to the same value
    named: dict[str, int] = field(default_factory=dict)  # to the property of that name
    any_name: list[int] = field(default_factory=list)  # to any property
    other_names: list[int] = field(default_factory=list)  # to properties that aren't in `named`
    elements: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Bound:
    """The most work for one value at depth d, at index d; the last holds for all that lies deeper."""

    visits: tuple[int, ...]  # schemas applied to it
    text: tuple[int, ...]  # visits' worth of regular expressions, for each character of it

    def of(self, value: object) -> tuple[int, int]:
        """The most work for the value and all within it: visits, and visits' worth of regular expressions."""
        visits = text = names = 0
        level = [value]
        for depth in range(MAX_DEPTH + 1):
            at = min(depth, len(self.visits) - 1)
            characters = names + sum(len(one) for one in level if type(one) is str)
            visits += (len(level) + (characters >> 6)) * self.visits[at]
            text += characters * self.text[at]
            objects = [one for one in level if isinstance(one, dict)]
            arrays = [one for one in level if isinstance(one, list)]
            names = sum(map(len, chain.from_iterable(objects)))
            level = [*chain.from_iterable(one.values() for one in objects), *chain.from_iterable(arrays)]
            if not level:
                break
        return visits, text


def bound(document: Document) -> Bound:
    """The bound for a schema; raises TooComplex where there is none, or none to be found with reasonable effort."""
    return _Automaton(_nodes(document)).heaviest()


def _nodes(document: Document) -> list[Node]:
    """Every schema that validation can come to, the root first."""
    numbers: dict[int, int] = {}
    schemas: list[Any] = []

    def number(schema: Any) -> int:
        if id(schema) not in numbers:
            numbers[id(schema)] = len(schemas)
            schemas.append(schema)
        return numbers[id(schema)]

    number(document.root)
    nodes: list[Node] = []
    while len(nodes) < len(schemas):
        schema = schemas[len(nodes)]
        nodes.append(_node(document, schema, number) if isinstance(schema, dict) else Node())
    return nodes


def _node(document: Document, schema: Object, number: Callable[[Any], int]) -> Node:
    node = Node(_visits(schema), _text(schema))
    # What is "unevaluated" is found out by going through all that stands beside it once more.
    times = 2 if "unevaluatedProperties" in schema or "unevaluatedItems" in schema else 1
    for keyword, token, inner in subschemas(schema):
        if keyword in _ANY_NAME:
            node.any_name.append(number(inner))
            if token is not None:
                node.any_name.append(number({"pattern": token}))
        elif isinstance(inner, bool):
            continue
        elif keyword in _BESIDE:
            node.beside += [number(inner)] * times
        elif keyword in _ELEMENTS:
            node.elements.append(number(inner))
        elif keyword in _OTHER_NAMES:
            node.other_names.append(number(inner))
        elif keyword == "properties":
            node.named[str(token)] = number(inner)
    for target in _targets(document, schema):
        node.beside += [number(target)] * times
    return node


def _visits(schema: Object) -> int:
    lists = (schema.get(keyword) for keyword in ("enum", "required"))
    return 1 + sum(len(one) for one in lists if isinstance(one, list)) // 8


def _text(schema: Object) -> int:
    pattern = schema.get("pattern")
    return cost_per_character(pattern) if isinstance(pattern, str) else 0


def _targets(document: Document, schema: Object) -> Iterator[Any]:
    """Where the references lead; all places a dynamic one can lead to."""
    for keyword in REFERENCES:
        text = schema.get(keyword)
        if not isinstance(text, str):
            continue
        try:
            yield document.target(document.bases.get(id(schema), ROOT), text)
        except LookupError:
            continue  # `check` refuses it, and no validator comes to be
        if keyword == "$dynamicRef":
            yield from document.dynamic.get(text.rpartition("#")[2], ())
        elif keyword == "$recursiveRef":
            yield document.root


def _ranks(nodes: list[Node]) -> list[int]:
    """For each node a number lower than that of all beside it; raises TooComplex where they go round in circles."""
    ranks = [0] * len(nodes)  # 0: not seen, -1: on the way
    next_rank = len(nodes)
    for start in range(len(nodes)):
        stack = [start]
        while stack:
            number = stack[-1]
            if ranks[number] == 0:
                ranks[number] = -1
                ahead = [other for other in nodes[number].beside if ranks[other] <= 0]
                if any(ranks[other] == -1 for other in ahead):
                    raise TooComplex("a schema leads back to itself without going deeper into the value")
                stack += ahead
                continue
            stack.pop()
            if ranks[number] == -1:
                ranks[number], next_rank = next_rank, next_rank - 1
    return ranks


class _Automaton:
    def __init__(self, nodes: list[Node]) -> None:
        self._nodes, self._ranks, self._effort = nodes, _ranks(nodes), EFFORT

    def heaviest(self) -> Bound:
        """The heaviest state at each depth or above."""
        level: set[State] = {((0, 1),)}
        seen: set[State] = set()
        visits, text = [0], [0]
        while level and len(visits) <= MAX_DEPTH + 1:
            seen |= level
            states = [self._with_all_beside(state) for state in level]
            weights = [self._weight(state) for state in states]
            visits.append(max(visits[-1], *(of_visits for of_visits, _ in weights)))
            text.append(max(text[-1], *(of_text for _, of_text in weights)))
            level = {step for state in states for step in self._steps(state)} - seen
        return Bound(tuple(visits[1:]), tuple(text[1:]))

    def _weight(self, counts: Counts) -> tuple[int, int]:
        applied = [(self._nodes[number], times) for number, times in counts.items()]
        visits = sum(times * node.visits for node, times in applied)
        return min(MOST, visits), min(MOST, sum(times * node.text for node, times in applied))

    def _with_all_beside(self, state: State) -> Counts:
        """All schemas applied to the same value. In order of rank, each is complete when it is passed on."""
        counts: Counts = dict(state)
        queue = [(self._ranks[number], number) for number in counts]
        heapify(queue)
        while queue:
            _, number = heappop(queue)
            for other in self._nodes[number].beside:
                if other not in counts:
                    heappush(queue, (self._ranks[other], other))
                self._add(counts, other, counts[number])
        return counts

    def _steps(self, counts: Counts) -> Iterator[State]:
        """The states of every kind of element and property."""
        nodes = self._nodes
        yield from self._state([(nodes[number].elements, times) for number, times in counts.items()])
        everywhere = [(nodes[number].any_name, times) for number, times in counts.items() if nodes[number].any_name]
        others = {number: times for number, times in counts.items() if nodes[number].other_names}
        for holders in (self._holders(counts) | {None: []}).values():
            named = [([inner], counts[number]) for number, inner in holders]
            known = {number for number, _ in holders}
            rest = [(nodes[number].other_names, times) for number, times in others.items() if number not in known]
            yield from self._state([*everywhere, *named, *rest])

    def _holders(self, counts: Counts) -> dict[str | None, list[tuple[int, int]]]:
        """By property, the schemas that name it, each with the one it has for it."""
        holders: dict[str | None, list[tuple[int, int]]] = {}
        for number in counts:
            for name, inner in self._nodes[number].named.items():
                holders.setdefault(name, []).append((number, inner))
        return holders

    def _state(self, parts: list[tuple[list[int], int]]) -> Iterator[State]:
        counts: Counts = {}
        for numbers, times in parts:
            self._spend()
            for number in numbers:
                self._add(counts, number, times)
        if counts:
            yield tuple(sorted(counts.items()))

    def _add(self, counts: Counts, number: int, times: int) -> None:
        counts[number] = min(MOST, counts.get(number, 0) + times)
        self._spend()

    def _spend(self) -> None:
        self._effort -= 1
        if self._effort < 0:
            raise TooComplex("its schemas combine in too many ways")
