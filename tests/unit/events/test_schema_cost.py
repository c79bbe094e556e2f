"""No pair of schema and value takes long: the bound is known first, and what is over it isn't tried."""

import json
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.events.schemas import check_schema, cost, faults, validator
from apps.events.schemas.patterns import number_of_states
from apps.events.schemas.walk import Document
from apps.kernel.errors import Invalid

SECONDS = 10  # of processor time, for a machine that is slow and busy; unbounded, each would take years or minutes


def nested(depth: int, leaf: Any, name: str = "a") -> Any:
    for _ in range(depth):
        leaf = {name: leaf, "kind": 2}
    return leaf


def bound(schema: dict[str, Any]) -> cost.Bound:
    return cost.bound(Document(schema))


RECURSIVE = [
    {"type": "object", "properties": {"a": {"$ref": "#"}, "kind": {"const": kind}}, "required": ["kind"]}
    for kind in range(3)
]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        pytest.param({"oneOf": RECURSIVE}, nested(60, {}), id="a tree of alternatives, wrong at its end"),
        pytest.param({"anyOf": RECURSIVE}, nested(60, {"kind": 5}), id="the same with anyOf"),
        pytest.param(
            {"allOf": [{"properties": {"a": {"$ref": "#"}}}, {"additionalProperties": {"$ref": "#"}}]},
            nested(60, 1),
            id="twice the same, by name and by all names",
        ),
        pytest.param(
            {"unevaluatedProperties": {"$ref": "#"}, "allOf": [{"properties": {"b": {"$ref": "#"}}}]},
            nested(60, 1),
            id="what is unevaluated, level after level",
        ),
        pytest.param(
            {"items": {"enum": [{"a": [n]} for n in range(20_000)]}},
            [{"a": [-1]}] * 50_000,
            id="each of many among many",
        ),
        pytest.param(
            {"items": {"anyOf": [{"const": n} for n in range(10_000)]}},
            list(range(-200_000, 0)),
            id="many alternatives for many values",
        ),
        pytest.param(
            {"patternProperties": {f"^a{n}": {} for n in range(100)}},
            {f"k{n}": 1 for n in range(300_000)},
            id="many patterns for many names",
        ),
        pytest.param({"pattern": "[ab]*a[ab]{1000}x"}, "ab" * 2_000_000, id="a pattern with many states"),
        pytest.param({"pattern": r"(?=.*x)(?=.*y)z"}, "a" * 4_000_000, id="a pattern that looks around"),
        pytest.param({"pattern": r"(a*)*\1b"}, "a" * 4_000_000, id="a pattern that looks back"),
        pytest.param(
            {"propertyNames": {"pattern": "[ab]*a[ab]{1000}x"}}, {"ab" * 2_000_000: 1}, id="the same for a name"
        ),
        pytest.param({"uniqueItems": True}, [[n] for n in range(500_000)], id="all different"),
        pytest.param({"items": {"type": "integer"}}, ["x"] * 1_000_000, id="a million faults"),
        pytest.param(
            {"anyOf": [{"items": {"anyOf": [{"minimum": 10}] * 20}}] * 20},
            [1] * 450,
            id="alternatives of alternatives, all of which fail",
        ),
        pytest.param(
            {"anyOf": [{"required": [f"p{n}"]} for n in range(1_000)]},
            {"a": ["x" * 100] * 40_000},
            id="a large value that a thousand errors could repeat",
        ),
    ],
)
def test_a_hostile_pair_is_answered_soon(schema: dict[str, Any], value: Any) -> None:
    check_schema(schema)
    start = process_time()
    found = faults(validator(json.dumps(schema)), value)
    assert process_time() - start < SECONDS
    assert len(found) <= 20


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"anyOf": [{"$ref": "#/$defs/a"}] * 300, "$defs": {"a": {"anyOf": [{}] * 1000}}}, id="fan-out"),
        pytest.param(
            {"allOf": [{"properties": {f"p{n}_{m}": {"$ref": "#"} for m in range(90)}} for n in range(90)]}, id="mesh"
        ),
        pytest.param(
            {
                "$ref": "#/$defs/d0",
                "$defs": {f"d{n}": {"items": {"oneOf": [{"$ref": f"#/$defs/d{m}"} for m in range(40) if m != n]}}
                          for n in range(40)},
            },
            id="everything in everything",
        ),
        pytest.param({"patternProperties": {f"(a{n}){{1,90}}": {"$ref": "#"} for n in range(500)}}, id="patterns"),
    ],
)  # fmt: skip
def test_the_analysis_itself_is_bounded(schema: dict[str, Any]) -> None:
    start = process_time()
    try:
        check_schema(schema)
    except Invalid as problem:
        assert {fault.code for fault in problem.faults} == {"too_complex"}  # noqa: PT017
    assert process_time() - start < SECONDS


@pytest.mark.parametrize(
    ("schema", "value", "visits"),
    [
        ({}, 1, 1),
        ({"allOf": [{}, {}]}, 1, 3),
        ({"properties": {"a": {"not": {}}}}, {"a": 1}, 1 + 2 + 1),  # per depth, the heaviest weight so far
        ({"properties": {"l": {"$ref": "#"}, "r": {"$ref": "#"}}}, {"l": {"l": 1, "r": 2}}, 1 + 2 + 2 * 2),
        ({"items": {"oneOf": [{"type": "null"}, {"type": "string"}]}}, [1, 2], 1 + 2 * 3),
    ],
)
def test_the_bound_counts_what_is_applied(schema: dict[str, Any], value: Any, visits: int) -> None:
    found, text = bound(schema).of(value)
    assert text == 0
    assert found <= visits
    assert found >= len(json.dumps(value).split(","))  # at least one for each value


def test_alternatives_that_lead_on_to_themselves_double_at_each_level() -> None:
    by_depth = bound({"oneOf": [{"properties": {"a": {"$ref": "#"}}}] * 2}).visits
    assert by_depth[:5] == (3, 8, 16, 32, 64)
    assert bound({"properties": {"a": {"$ref": "#"}}}).visits == (1, 2)


names = st.sampled_from("ab")


def schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=3)
    named = st.dictionaries(names, inner, min_size=1, max_size=2)
    return st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("items", "not", "additionalProperties", "contains"), inner),
            **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), several),
            "properties": named,
            "dependentSchemas": named,
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b$"]), inner, max_size=2),
        },
    )


leaves: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{}, {"type": "string"}, {"minimum": 1}, {"$ref": "#/$defs/x"}, {"required": ["a"]}]
)
documents = st.builds(
    lambda root, x: {"not": root, "$defs": {"x": {"properties": {"a": {"$ref": "#/$defs/x"}}, "items": x}}},
    st.recursive(leaves, schemas, max_leaves=12),
    leaves,
)
values = st.recursive(
    st.integers() | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=2),
    max_leaves=12,
)


@given(documents, values)
def test_the_bound_is_one(schema: dict[str, Any], value: Any) -> None:
    """The library reports every keyword it applied; that is never more than the bound times a schema's keywords."""
    check_schema(schema)
    ready = validator(json.dumps(schema))
    applied = len(ready.compiled.evaluate(value).list()["details"])
    assert applied <= bound(schema).of(value)[0] * 8


@pytest.mark.parametrize(
    ("pattern", "states"),
    [
        ("", 0),
        ("abc", 3),
        ("a{10}", 10),
        ("a{2,10}", 10),
        ("(ab{10}){3}", 33),
        ("((a{100}){100}){100}", 1_000_000),
        (r"\{10}", 2),
        (r"[a{10}]{3}", 3),
        (r"[]{10}]{3}", 3),
        (r"[\]]{3}", 3),
        (r"\p{L}{5}", 5),
        ("a{99999999999999}", 1_000_000),
        (")(){3}", 1),
    ],
)
def test_the_states_of_an_expression(pattern: str, states: int) -> None:
    assert number_of_states(pattern) == pytest.approx(states, abs=5)
