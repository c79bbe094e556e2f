"""Event types out of JSON Schemas and OpenAPI documents, JSON or YAML; each must be registrable as it comes."""

import json
from typing import Any

import pytest

from apps.events.importing import ImportedType, read_event_types
from apps.events.importing.types import type_name
from apps.events.schemas import check_schema, faults, validator
from apps.kernel.errors import Invalid, Problem

LATEST = "https://json-schema.org/draft/2020-12/schema"


def read(document: object, prefix: str = "") -> dict[str, ImportedType]:
    types = {one.name: one for one in read_event_types(json.dumps(document), prefix=prefix)}
    for one in types.values():
        check_schema(one.schema)
    return types


def matches(one: ImportedType, value: object) -> bool:
    return not faults(validator(json.dumps(one.schema)), value)


def refusal(text: str, prefix: str = "") -> Problem:
    with pytest.raises(Problem) as caught:
        read_event_types(text, prefix=prefix)
    return caught.value


DEFINITIONS = {
    "paid": {"type": "object", "description": "An invoice was paid", "required": ["of"],
             "properties": {"of": {"$ref": "#/definitions/invoice"}}},
    "invoice": {"title": "Invoice", "type": "object",
                "properties": {"lines": {"items": {"$ref": "#/definitions/line"}}}},
    "line": {"type": "integer"},
    "unrelated": {"type": "null"},
}  # fmt: skip


@pytest.mark.parametrize("keyword", ["oneOf", "anyOf"])
def test_the_definitions_the_top_level_refers_to_are_types(keyword: str) -> None:
    document = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": DEFINITIONS,
        keyword: [{"$ref": "#/definitions/paid"}, {"$ref": "#/definitions/line"}],
    }
    types = read(document)
    assert list(types) == ["paid", "line"]
    paid = types["paid"]
    assert paid.description == "An invoice was paid"
    assert paid.schema["$schema"] == document["$schema"]
    assert paid.schema["definitions"].keys() == {"invoice", "line"}  # what it needs, and no more
    assert matches(paid, {"of": {"lines": [1]}})
    assert not matches(paid, {"of": {"lines": ["x"]}})
    assert "definitions" not in types["line"].schema


def test_without_references_every_definition_is_a_type() -> None:
    types = read({"definitions": DEFINITIONS}, prefix="billing.")
    assert list(types) == ["billing.paid", "billing.invoice", "billing.line", "billing.unrelated"]
    assert types["billing.invoice"].description == "Invoice"


def test_a_reference_at_the_top_names_the_one_type() -> None:
    types = read({"$ref": "#/$defs/Paid", "$defs": {"Paid": {"type": "object"}, "Part": {}}})
    assert list(types) == ["Paid"]


def test_a_schema_with_a_title_is_one_type_with_its_own_definitions() -> None:
    document = {
        "title": "invoice.paid",
        "description": "Money came",
        "type": "object",
        "properties": {"amount": {"$ref": "#/$defs/money"}},
        "$defs": {"money": {"type": "integer"}},
    }
    assert read(document) == {"invoice.paid": ImportedType("invoice.paid", "Money came", document)}


def test_a_definition_that_refers_to_itself_keeps_doing_so() -> None:
    tree = {"type": "object", "additionalProperties": {"$ref": "#/$defs/tree"}}
    types = read({"$defs": {"tree": tree}})
    assert matches(types["tree"], {"a": {"b": {}}})
    assert not matches(types["tree"], {"a": {"b": 1}})


def test_references_into_definitions_and_escaped_names_stay_valid() -> None:
    document = {
        "anyOf": [{"$ref": "#/$defs/a~1b%20c"}],
        "$defs": {
            "a/b c": {"properties": {"x": {"$ref": "#/$defs/other/properties/y"}, "z": {"$ref": "#/$defs/a~1b%20c"}}},
            "other": {"properties": {"y": {"type": "null"}}},
        },
    }
    [one] = read(document).values()
    assert one.name == "a_b_c"
    assert matches(one, {"x": None, "z": {"x": None}})
    assert not matches(one, {"z": {"x": 1}})


def test_definitions_within_a_definition_are_not_in_the_way() -> None:
    document = {
        "$defs": {
            "a": {"$defs": {"inner": {"type": "null"}},
                  "properties": {"x": {"$ref": "#/$defs/a/$defs/inner"}, "y": {"$ref": "#/$defs/b"}}},
            "b": {"type": "string"},
        }
    }  # fmt: skip
    one = read(document)["a"]
    assert matches(one, {"x": None, "y": "s"})
    assert not matches(one, {"x": 1})
    assert not matches(one, {"y": 1})


def test_references_by_anchor_and_by_id_are_bundled_too() -> None:
    document = {
        "$id": "https://example.com/events",
        "oneOf": [{"$ref": "#/$defs/a"}],
        "$defs": {
            "a": {"properties": {"x": {"$ref": "#here"}, "y": {"$ref": "https://example.com/events#/$defs/c"}}},
            "b": {"$anchor": "here", "type": "null"},
            "c": {"type": "string"},
        },
    }
    one = read(document)["a"]
    assert matches(one, {"x": None, "y": "s"})
    assert not matches(one, {"x": 1})
    assert not matches(one, {"y": 1})


def test_what_only_looks_like_a_reference_is_left_alone() -> None:
    one = read({"$defs": {"a": {"const": {"$ref": "#/$defs/b"}}, "b": {}}})["a"]
    assert one.schema == {"const": {"$ref": "#/$defs/b"}}


def test_the_document_itself_is_not_changed() -> None:
    document = {"definitions": DEFINITIONS, "oneOf": [{"$ref": "#/definitions/paid"}]}
    before = json.dumps(document)
    read(document)
    assert json.dumps(document) == before


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("push$event", "push"),
        ("issues_event", "issues"),
        ("issues$opened", "issues.opened"),
        ("pull_request_review_event", "pull_request_review"),
        ("invoice.paid", "invoice.paid"),
        ("Invoice Paid!", "Invoice_Paid_"),
        ("/orders/{id}", "_orders_id_"),
        ("a..b.", "a.b"),
        ("$event", "event"),
        ("_event", "_event"),
        ("été", "_t_"),
    ],
)
def test_names(name: str, expected: str) -> None:
    assert type_name(name) == expected


@pytest.mark.parametrize(("name", "prefix"), [("", ""), ("...", ""), ("a" * 129, ""), ("a", "my prefix."), ("a", ".")])
def test_names_that_are_none(name: str, prefix: str) -> None:
    with pytest.raises(Invalid) as caught:
        type_name(name, prefix)
    assert caught.value.code == "invalid_name"


OPENAPI = """\
openapi: 3.1.0
info: {title: Shop, version: "1"}
paths: {}
webhooks:
  order.created:
    post:
      summary: An order came in
      requestBody:
        $ref: '#/components/requestBodies/Order'
      responses:
        200: {description: Thanks}
  order.shipped:
    $ref: '#/components/pathItems/Shipped'
  ping:
    post:
      responses:
        204: {description: Nothing in it}
components:
  pathItems:
    Shipped:
      description: It is on its way
      put:
        requestBody:
          content:
            text/plain: {schema: {type: string}}
            application/vnd.shop+json; charset=utf-8:
              schema:
                type: object
                required: [order, on]
                properties:
                  order: {$ref: '#/components/schemas/Order'}
                  on: {type: [string, 'null'], const: 2030-01-02}
  requestBodies:
    Order:
      content:
        application/json:
          schema: {$ref: '#/components/schemas/Order'}
  schemas:
    Order:
      type: object
      required: [id]
      properties:
        id: {type: integer}
        lines: {type: array, items: {$ref: '#/components/schemas/Line'}}
        parent: {$ref: '#/components/schemas/Order'}
    Line:
      type: string
    Customer:
      type: object
"""


def test_openapi_webhooks() -> None:
    types = {one.name: one for one in read_event_types(OPENAPI, prefix="shop.")}
    assert {name: one.description for name, one in types.items()} == {
        "shop.order.created": "An order came in",
        "shop.order.shipped": "It is on its way",
        "shop.ping": "",
    }
    for one in types.values():
        check_schema(one.schema)
        assert one.schema["$schema"] == LATEST
    created, shipped, ping = types.values()
    assert created.schema["$defs"].keys() == {"Order", "Line"}
    assert matches(created, {"id": 1, "lines": ["a"], "parent": {"id": 2}})
    assert not matches(created, {"id": 1, "parent": {"id": "x"}})
    assert matches(shipped, {"order": {"id": 1}, "on": "2030-01-02"})
    assert not matches(shipped, {"order": {"id": 1}})
    assert matches(ping, {"anything": True})


def test_openapi_3_0_means_what_it_says_in_other_words() -> None:
    document = {
        "openapi": "3.0.3",
        "x-webhooks": {
            "changed": {"post": {"requestBody": {"content": {"application/json": {"schema": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "nullable": True},
                    "state": {"type": "string", "enum": ["on", "off"], "nullable": True},
                    "kept": {"type": "string", "nullable": False},
                    "owner": {"$ref": "#/components/schemas/Owner", "nullable": True},
                    "boss": {"nullable": True, "allOf": [{"$ref": "#/components/schemas/Owner"}]},
                    "size": {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 9,
                             "exclusiveMaximum": False},
                    "nullable": {"type": "boolean"},
                },
            }}}}}}
        },
        "components": {"schemas": {"Owner": {
            "type": "object", "properties": {"id": {"type": "integer", "nullable": True}}}}},
    }  # fmt: skip
    one = read(document)["changed"]
    fine = {"name": None, "state": None, "owner": None, "boss": None, "size": 9, "nullable": True}
    assert matches(one, fine)
    assert matches(one, {"owner": {"id": None}, "boss": {"id": 1}})
    for wrong in ({"name": 1}, {"state": "x"}, {"kept": None}, {"owner": 1}, {"boss": {"id": "x"}}, {"size": 0},
                  {"size": 10}, {"nullable": "yes"}):  # fmt: skip
        assert not matches(one, wrong), wrong


def test_openapi_names_the_draft_it_means() -> None:
    dialect = "http://json-schema.org/draft-07/schema#"
    document = {"openapi": "3.1.0", "jsonSchemaDialect": dialect, "webhooks": {"a": {}}}
    assert read(document)["a"].schema == {"$schema": dialect}
    own = {**document, "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base"}
    assert read(own)["a"].schema == {"$schema": LATEST}


@pytest.mark.parametrize(
    ("document", "code", "words"),
    [
        ({}, "unknown_document", "neither a JSON Schema"),
        ({"hello": "world"}, "unknown_document", "neither a JSON Schema"),
        ({"asyncapi": "3.0.0"}, "unknown_document", "neither a JSON Schema"),
        ([], "unknown_document", "must be an object"),
        ({"type": "object"}, "no_types", "no `title`"),
        ({"type": "object", "title": 5}, "no_types", "no `title`"),
        ({"oneOf": [{"$ref": "#/definitions/nope"}]}, "no_types", "no `title`"),
        ({"oneOf": 5}, "no_types", "no `title`"),
        ({"$schema": LATEST}, "no_types", "no definitions"),
        ({"definitions": {}}, "no_types", "no definitions"),
        ({"definitions": []}, "no_types", "no definitions"),
        ({"$ref": "http://example.com/"}, "no_types", "no definitions"),
        ({"$defs": {"a": {"items": {"$ref": "#"}}}}, "no_types", "the whole document"),
        ({"$defs": {"a_event": {}, "a$event": {}}}, "repeated_name", "called a"),
        ({"$defs": {"!!!": {}, "...": {}}}, "invalid_name", "makes no name"),
        ({"openapi": "3.1.0", "paths": {}}, "no_types", "no `webhooks`"),
        ({"openapi": "3.1.0", "webhooks": []}, "no_types", "no `webhooks`"),
    ],
    ids=lambda value: json.dumps(value)[:50],
)
def test_other_documents_are_refused_in_words(document: object, code: str, words: str) -> None:
    problem = refusal(json.dumps(document))
    assert isinstance(problem, Invalid)
    assert problem.code == code
    assert words in problem.detail


@pytest.mark.parametrize(
    "document",
    [
        {"openapi": 3.1, "webhooks": {"a": 5, "b": {"post": []}, "c": {"$ref": "#/nope"}}},
        {"openapi": None, "webhooks": {"a": {"post": {"requestBody": {"content": {"application/json": None}}}}}},
        {"openapi": "3.1.0", "webhooks": {"a": {"$ref": "#/webhooks/a"}}},
        {"openapi": "3.1.0", "components": [], "webhooks": {"a": {"post": {"requestBody": {"content": []}}}}},
        {"$defs": {"a": True, "b": False, "c": 5}},
    ],
    ids=lambda value: json.dumps(value)[:50],
)
def test_documents_with_holes_are_read_as_far_as_they_go(document: dict[str, Any]) -> None:
    assert all(isinstance(one.schema, dict) for one in read(document).values())
