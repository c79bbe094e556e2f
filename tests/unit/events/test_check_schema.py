"""Which JSON Schemas may be registered; above all, that none of them can make us fetch or hang."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from apps.events.schemas import check_schema, validator
from apps.events.schemas.check import MAX_BYTES, MAX_SCHEMAS
from apps.events.schemas.expressions import MAX_PATTERNS, MAX_TEXT
from apps.kernel.errors import Invalid

DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DRAFT_2019 = "https://json-schema.org/draft/2019-09/schema"


def faults(schema: object) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        check_schema(schema)
    assert caught.value.code == "invalid_schema"
    assert all(len(fault.detail) <= 300 for fault in caught.value.faults)
    return [(fault.pointer, fault.code) for fault in caught.value.faults]


def chain(length: int, keyword: str) -> dict[str, Any]:
    """Each definition has the next one twice: two to the power of `length` ways."""
    twice = {f"d{n}": {keyword: [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(length)}
    return {"$ref": "#/$defs/d0", "$defs": {**twice, f"d{length}": {"type": "integer"}}}


@pytest.mark.parametrize(
    "schema",
    [
        True,
        False,
        {},
        {"type": "object", "properties": {"a": {"type": ["string", "null"]}}},
        {"$schema": DRAFT_4, "id": "http://a/b", "minimum": 1, "exclusiveMinimum": True},
        {"$schema": "http://json-schema.org/draft-06/schema#", "const": 1},
        {"$schema": DRAFT_7, "definitions": {"a": {"$id": "#x"}}, "allOf": [{"$ref": "#x"}]},
        {"$schema": "https://json-schema.org/draft-07/schema", "if": True, "then": {"minimum": 1}},
        {"$schema": DRAFT_2019, "$recursiveAnchor": True, "properties": {"a": {"$recursiveRef": "#"}}},
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "prefixItems": [{"$ref": "#/$defs/a~1b"}],
            "$defs": {"a/b": {}},
        },
        {"$defs": {"a": {"$anchor": "here"}}, "items": {"$ref": "#here"}},
        {"$id": "http://a/b", "$defs": {"x": {"$id": "c", "$defs": {"y": {}}}}, "not": {"$ref": "c#/$defs/y"}},
        {"$id": "http://a/b", "$defs": {"x": {}}, "not": {"$ref": "http://a/b#/$defs/x"}},
        {"$dynamicRef": "#node", "$defs": {"x": {"$dynamicAnchor": "node", "type": "object"}}},
        {"$ref": "#/x-models/a%20b", "x-models": {"a b": {"type": "string"}}},
        # What looks like a reference and is none.
        {"properties": {"$ref": {"type": "string"}, "$schema": {}, "$id": {}, "pattern": {}}},
        {"const": {"$ref": "http://example.com/"}, "enum": [{"$ref": "#/nowhere"}], "default": {"$ref": "x"}},
        {"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}},
        {"pattern": r"^(?=.*\d)(?!.*\s).{8,}$"},  # needs backtracking
        {"patternProperties": {r"^\p{L}+$": {}, r"^[^\s]{1,255}$": {}}},
    ],
    ids=lambda schema: json.dumps(schema)[:60],
)
def test_taken(schema: object) -> None:
    check_schema(schema)
    assert validator(json.dumps(schema)) is validator(json.dumps(schema))


@pytest.mark.parametrize(
    ("schema", "pointer", "code"),
    [
        (None, "/schema", "wrong_type"),
        (5, "/schema", "wrong_type"),
        ("string", "/schema", "wrong_type"),
        ([{}], "/schema", "wrong_type"),
        ({"const": float("nan")}, "/schema", "malformed"),
        ({"const": "\ud800"}, "/schema", "malformed"),
        ({"const": {1, 2}}, "/schema", "malformed"),
        ({"$schema": "http://json-schema.org/draft-03/schema#"}, "/schema/$schema", "unknown_draft"),
        ({"$schema": "https://example.com/my-own"}, "/schema/$schema", "unknown_draft"),
        ({"$schema": 5}, "/schema/$schema", "type"),
        ({"type": "text"}, "/schema/type", "any_of"),
        ({"properties": {"a": {"minimum": "5"}}}, "/schema/properties/a/minimum", "type"),
        ({"required": ["a", "a"]}, "/schema/required", "unique_items"),
        ({"$schema": DRAFT_4, "required": []}, "/schema/required", "min_items"),
        ({"items": [{}]}, "/schema/items", "type"),  # an array only before 2020-12
        ({"multipleOf": 0}, "/schema/multipleOf", "exclusive_minimum"),
        ({"$ref": 5}, "/schema/$ref", "type"),
        ({"pattern": "("}, "/schema/pattern", "invalid_pattern"),
        ({"pattern": r"(?P<x"}, "/schema/pattern", "invalid_pattern"),
        ({"patternProperties": {"a/(": {}}}, "/schema/patternProperties/a~1(", "invalid_pattern"),
        ({"pattern": "((a{100}){100}){100}"}, "/schema/pattern", "too_complex"),
        ({"pattern": "a" * (MAX_TEXT + 1)}, "/schema", "too_complex"),
        ({"$ref": "#/x/a", "x": {"a": {"pattern": "("}}}, "/schema/$ref/pattern", "invalid_pattern"),
        ({"$ref": "#/x/a", "x": {"a": {"not": {"$ref": "http://a/"}}}}, "/schema/$ref/not/$ref", "remote_reference"),
        ({"$ref": "http://example.com/x.json"}, "/schema/$ref", "remote_reference"),
        ({"$ref": "file:///etc/passwd"}, "/schema/$ref", "remote_reference"),
        ({"$ref": "//example.com/x"}, "/schema/$ref", "remote_reference"),
        ({"$ref": "urn:uuid:c773e9a4"}, "/schema/$ref", "remote_reference"),
        ({"$ref": "other.json"}, "/schema/$ref", "remote_reference"),
        ({"$ref": "../../etc/passwd"}, "/schema/$ref", "remote_reference"),
        ({"$ref": "http://json-schema.org/draft-07/schema#"}, "/schema/$ref", "remote_reference"),
        ({"$dynamicRef": "http://example.com/#x"}, "/schema/$dynamicRef", "remote_reference"),
        ({"$defs": {"never used": {"$ref": "http://a/"}}}, "/schema/$defs/never used/$ref", "remote_reference"),
        ({"$id": "http://a/b/", "not": {"$ref": "c"}}, "/schema/not/$ref", "remote_reference"),
        ({"$ref": "http://[broken"}, "/schema/$ref", "invalid_reference"),
        ({"$id": "http://[broken"}, "/schema", "invalid_reference"),
        ({"properties": {"a/b": {"$ref": "#/nope"}}}, "/schema/properties/a~1b/$ref", "dangling_reference"),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}}}, "/schema/$defs/a/$ref", "dangling_reference"),
        ({"$ref": "#nowhere"}, "/schema/$ref", "dangling_reference"),
        ({"$ref": "#/type", "type": "object"}, "/schema/$ref", "dangling_reference"),
        ({"allOf": [{"$ref": "#/allOf/7"}]}, "/schema/allOf/0/$ref", "dangling_reference"),
        ({"$ref": "#"}, "/schema", "too_complex"),
        ({"anyOf": [{"type": "null"}, {"$ref": "#"}]}, "/schema", "too_complex"),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
            "/schema",
            "too_complex",
        ),
        (chain(30, "allOf"), "/schema", "too_complex"),
        (chain(60, "anyOf"), "/schema", "too_complex"),
        (chain(5000, "oneOf"), "/schema", "too_complex"),
        ({"allOf": [{}] * MAX_SCHEMAS}, "/schema", "too_complex"),
        ({"description": "d" * MAX_BYTES}, "/schema", "too_large"),
        ({"properties": {f"p{n}": {"pattern": f"^{n}$"} for n in range(MAX_PATTERNS + 1)}}, "/schema", "too_complex"),
    ],
    ids=lambda value: json.dumps(value, default=str)[:60] if not isinstance(value, str) else value,
)
def test_refused(schema: object, pointer: str, code: str) -> None:
    assert faults(schema) == [(pointer, code)]


@pytest.mark.parametrize("depth", [65, 200, 100_000])
def test_a_bomb_of_depth_is_refused(depth: int) -> None:
    schema: dict[str, Any] = {}
    for _ in range(depth):
        schema = {"not": schema}
    [(_, code)] = faults(schema)
    assert code == "too_deep"


def test_a_schema_that_holds_itself_is_refused() -> None:
    schema: dict[str, Any] = {}
    schema["not"] = schema
    assert faults(schema) == [("/schema", "malformed")]


def test_all_wrong_references_are_told_at_once() -> None:
    schema = {"properties": {"a": {"$ref": "#/x"}, "b": {"$ref": "http://a/"}}, "items": {"$ref": "#y"}}
    assert faults(schema) == [
        ("/schema/properties/a/$ref", "dangling_reference"),
        ("/schema/properties/b/$ref", "remote_reference"),
        ("/schema/items/$ref", "dangling_reference"),
    ]


@contextmanager
def listening() -> Iterator[tuple[str, list[str]]]:
    """A real server that serves a schema to whoever asks, and notes who asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"type": "string"}')

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "refer",
    [
        lambda url: {"$ref": url},
        lambda url: {"$schema": DRAFT_7, "definitions": {"a": {"$ref": f"{url}#/a"}}},
        lambda url: {"$id": url, "$ref": "sibling.json"},
        lambda url: {"$dynamicRef": f"{url}#a"},
        lambda url: {"$schema": url},
        lambda url: {"$schema": DRAFT_2019, "$recursiveRef": url},
    ],
)
def test_nothing_is_ever_fetched(refer: Any, tmp_path: Path) -> None:
    with listening() as (url, asked):
        with pytest.raises(Invalid):
            check_schema(refer(f"{url}/schema.json"))
        # Not even where the check is passed by.
        with suppress(ValueError):
            validator(json.dumps(refer(f"{url}/schema.json"))).compiled.validate(1)
    assert asked == []
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    with pytest.raises(Invalid):
        check_schema(refer(secret.as_uri()))


def test_the_detail_names_what_is_wrong() -> None:
    with pytest.raises(Invalid, match=r"/schema/\$ref: 'http://a/' lies outside this schema"):
        check_schema({"$ref": "http://a/"})


def test_a_fault_repeats_no_large_part_of_the_schema() -> None:
    with pytest.raises(Invalid) as caught:
        check_schema({"minimum": "x" * 100_000, "$ref": "http://" + "a" * 100_000})
    assert caught.value.faults
    assert max(len(fault.detail) for fault in caught.value.faults) <= 300
