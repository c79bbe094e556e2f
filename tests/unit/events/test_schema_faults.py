"""Holding data against schemas: each fault points to the value at fault, in words, and never repeats it."""

import json
from typing import Any

import pytest

from apps.events.schemas import faults, validator

DRAFT_4 = "http://json-schema.org/draft-04/schema#"


def told(schema: object, value: object, **options: int) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in faults(validator(json.dumps(schema)), value, **options)]


def words(schema: object, value: object) -> list[str]:
    return [fault.detail for fault in faults(validator(json.dumps(schema)), value)]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (True, None),
        ({}, {"anything": [1]}),
        ({"type": "integer"}, 10**30),
        ({"type": "integer"}, 1.0),
        ({"multipleOf": 0.01}, 19.99),
        ({"format": "email"}, "not one"),  # in 2020-12, formats are notes
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, 5),
        ({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"b": 1}),
        ({"pattern": r"^(?=.*\d).{3,}$"}, "ab1"),
    ],
)
def test_what_matches_has_no_faults(schema: object, value: object) -> None:
    assert told(schema, value) == []


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        (False, 1, [("/data", "false_schema")]),
        ({"type": "integer"}, "5", [("/data", "type")]),
        ({"type": ["integer", "null"]}, 1.5, [("/data", "type")]),
        ({"const": {"a": 1}}, {"a": 2}, [("/data", "const")]),
        ({"enum": ["a", "b"]}, "c", [("/data", "enum")]),
        ({"minimum": 5}, 4, [("/data", "minimum")]),
        ({"exclusiveMaximum": 5}, 5, [("/data", "exclusive_maximum")]),
        ({"$schema": DRAFT_4, "maximum": 5, "exclusiveMaximum": True}, 5, [("/data", "exclusive_maximum")]),
        ({"multipleOf": 2}, 3, [("/data", "multiple_of")]),
        ({"minLength": 2}, "é", [("/data", "min_length")]),
        ({"maxLength": 1}, "éé", [("/data", "max_length")]),
        ({"pattern": "^a"}, "b", [("/data", "pattern")]),
        ({"pattern": "^(?!b)"}, "b", [("/data", "pattern")]),
        ({"minItems": 1}, [], [("/data", "min_items")]),
        ({"uniqueItems": True}, [1, 1.0], [("/data", "unique_items")]),
        ({"contains": {"type": "string"}}, [1], [("/data", "contains")]),
        ({"items": {"type": "integer"}}, [1, "2", 3, "4"], [("/data/1", "type"), ("/data/3", "type")]),
        ({"prefixItems": [{}], "items": False}, [1, 2], [("/data/1", "false_schema")]),
        ({"required": ["a", "b", "c"]}, {"b": 1}, [("/data", "required"), ("/data", "required")]),
        ({"additionalProperties": False}, {"a": 1}, [("/data", "additional_properties")]),
        ({"unevaluatedProperties": False}, {"a": 1}, [("/data", "unevaluated_properties")]),
        ({"maxProperties": 1}, {"a": 1, "b": 2}, [("/data", "max_properties")]),
        ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, [("/data", "max_length")]),
        ({"patternProperties": {"^x": {"type": "string"}}}, {"x/~": 1}, [("/data/x~1~0", "type")]),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, [("/data", "required")]),
        ({"not": {"type": "string"}}, "a", [("/data", "not")]),
        ({"allOf": [{"minimum": 5}, {"multipleOf": 2}]}, 3, [("/data", "minimum"), ("/data", "multiple_of")]),
        ({"if": {"type": "integer"}, "then": {"minimum": 5}}, 3, [("/data", "minimum")]),
        ({"if": {"type": "integer"}, "else": {"maxLength": 1}}, "ab", [("/data", "max_length")]),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "string"}}}, 1, [("/data", "type")]),
        ({"properties": {"": {"properties": {"a b": {"type": "null"}}}}}, {"": {"a b": 1}}, [("/data//a b", "type")]),
        # Names that look like keywords.
        (
            {"properties": {"anyOf": {"properties": {"0": {"type": "string"}}}}},
            {"anyOf": {"0": 1}},
            [("/data/anyOf/0", "type")],
        ),
        (
            {"properties": {"not": {"properties": {"if": False}}}},
            {"not": {"if": 1}},
            [("/data/not/if", "false_schema")],
        ),
    ],
    ids=lambda value: json.dumps(value)[:50],
)
def test_each_keyword_points_to_what_fails_it(schema: object, value: object, expected: list[tuple[str, str]]) -> None:
    assert told(schema, value) == expected


# Alternatives: what matters is the one that was meant.

BY_KIND = {
    "oneOf": [
        {"type": "object", "properties": {"kind": {"const": "card"}, "number": {"type": "string"}},
         "required": ["kind", "number"]},
        {"type": "object", "properties": {"kind": {"enum": ["sepa", "ach"]}, "iban": {"type": "string"}},
         "required": ["kind", "iban"]},
        {"type": "string"},
    ]
}  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        (BY_KIND, {"kind": "card", "number": 5}, [("/data/number", "type")]),
        (BY_KIND, {"kind": "ach"}, [("/data", "required")]),
        (BY_KIND, {"kind": "cash"}, [("/data/kind", "enum")]),
        (BY_KIND, {}, [("/data", "one_of"), ("/data", "required"), ("/data", "required")]),
        (BY_KIND, 5, [("/data", "type")]),
        ({"items": BY_KIND}, ["a", {"kind": "card", "number": 5}, {"kind": "x"}],
         [("/data/1/number", "type"), ("/data/2/kind", "enum")]),
        ({"anyOf": [{"type": "null"}, {"type": "object", "required": ["a"]}]}, {}, [("/data", "required")]),
        ({"anyOf": [{"const": "a"}, {"const": "b"}, {"type": "null"}]}, "c", [("/data", "enum")]),
        ({"oneOf": [{"type": "integer"}, {"minimum": 0}]}, 5, [("/data", "one_of")]),
        ({"anyOf": [{"minimum": 5}, {"multipleOf": 2}]}, 3, [("/data", "any_of"), ("/data", "minimum")]),
        ({"$id": "http://a/b", "$defs": {"x": {"$id": "c", "anyOf": [{"type": "null"}, {"type": "string"}]},
                                         "y": {"$id": "d", "enum": ["a"]}},
          "items": {"anyOf": [{"$ref": "d"}, {"$ref": "c"}]}}, [5], [("/data/0", "enum")]),
        ({"anyOf": [{"const": None}, {"type": "object", "required": ["a"]}]}, {}, [("/data", "required")]),
        # An alternative within the alternative that was meant.
        ({"anyOf": [{"properties": {"t": {"const": 1}, "x": {"anyOf": [{"type": "null"}, BY_KIND]}}},
                    {"properties": {"t": {"const": 2}}}]},
         {"t": 1, "x": {"kind": "sepa", "iban": 1}}, [("/data/x/iban", "type")]),
        # The same alternatives hold for one element and not for another.
        ({"items": {"anyOf": [{"type": "integer", "minimum": 5}, {"type": "null"}]}}, [7, 3, None],
         [("/data/1", "minimum")]),
        ({"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "integer"}]}, "b": {"type": "null"}}},
         {"a": 5, "b": 5}, [("/data/b", "type")]),
    ],
    ids=lambda value: json.dumps(value)[:50],
)  # fmt: skip
def test_of_alternatives_the_one_that_was_meant_is_told(
    schema: object, value: object, expected: list[tuple[str, str]]
) -> None:
    assert told(schema, value) == expected


def test_the_words() -> None:
    schema = {
        "properties": {
            "type": {"type": ["string", "null"]},
            "enum": {"enum": [1, None, "é"]},
            "minLength": {"minLength": 3},
            "pattern": {"pattern": r"^\d+$"},
        },
        "required": ["a", "b c"],
        "additionalProperties": False,
    }
    value = {"type": 1, "enum": 2, "minLength": "", "pattern": "x", "one": 1, "two": 2}
    assert set(words(schema, value)) == {
        'lacks the property "a"',
        'lacks the property "b c"',
        "has what isn't allowed: 'one', 'two'",
        'must be one of 1, null, "é"',
        "must have at least 3 characters",
        "must match the pattern ^\\d+$",
        'must be of type "string", "null"',
    }
    assert words(BY_KIND, {"kind": "cash"}) == ['must be one of "card", "sepa", "ach"']


SECRET = "s3cret" * 10_000


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer"},
        {"const": 1},
        {"enum": list(range(10_000))},
        {"not": {}},
        {"pattern": "a" * 5_000},
        {"maxLength": 1},
        {"oneOf": [{"type": "string"}, {"minLength": 1}]},
        {"anyOf": [{"type": "null"}, {"maxLength": 2}]},
    ],
)
def test_a_value_is_never_repeated(schema: object) -> None:
    for value, at in ((SECRET, ""), ([SECRET], "/0"), ({"a": SECRET}, "/a")):
        within = {"items": schema, "additionalProperties": schema} if at else schema
        [fault, *_] = faults(validator(json.dumps(within)), value)
        assert "s3cret" not in fault.detail
        assert len(fault.detail) <= 300


def test_names_of_absurd_length_are_cut() -> None:
    [fault] = faults(validator('{"additionalProperties": false}'), {SECRET: 1})
    assert len(fault.detail) <= 300
    [fault] = faults(validator('{"additionalProperties": {"type": "null"}}'), {SECRET: 1})
    assert len(fault.pointer) < 1_100


@pytest.mark.parametrize("limit", [1, 7])
def test_as_many_faults_as_asked_for(limit: int) -> None:
    assert told({"items": {"type": "string"}}, list(range(50)), limit=limit) == [
        (f"/data/{index}", "type") for index in range(limit)
    ]


def test_twenty_faults_unless_asked_otherwise() -> None:
    assert len(told({"items": {"type": "string"}}, list(range(50)))) == 20


def test_a_pattern_that_gives_up_is_a_fault_and_no_error() -> None:
    assert told({"pattern": r"^(a|aa)+(?=b)$"}, "a" * 200) == [("/data", "pattern")]


@pytest.mark.parametrize("size", [None, 20, 10**12])
def test_the_size_only_spares_work(size: int | None) -> None:
    ready = validator('{"items": {"type": "integer"}}')
    assert faults(ready, [1, 2], size=size) == []
    assert [fault.pointer for fault in faults(ready, [1, "x"], size=size)] == ["/data/1"]


def test_a_large_value_is_judged_but_not_explained() -> None:
    schema: Any = {"items": {"type": "integer"}}
    assert told(schema, [1] * 600_000) == []
    assert told(schema, [1] * 600_000 + ["x"]) == [("/data", "schema")]
