"""The largest public set of webhooks there is: 66 types imported, 329 payloads held against them."""

import json
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from apps.events.importing import ImportedType, read_event_types
from apps.events.schemas import check_schema, faults, validator
from apps.kernel.errors import Fault

DATA = Path(__file__).parents[2] / "data" / "github-webhooks"

# The first payload of these types is older than fields the schema requires: see the README beside the data.
FIRST_IS_FINE = {
    "deployment_review", "github_app_authorization", "marketplace_purchase", "membership", "org_block",
    "organization", "projects_v2_item", "status",
}  # fmt: skip
OTHERS_AT_FAULT = {("check_run", 7), ("check_run", 8), ("sponsorship", 1)}


@cache
def types() -> dict[str, ImportedType]:
    return {one.name: one for one in read_event_types((DATA / "schema.json").read_text())}


@cache
def payloads() -> dict[str, list[Any]]:
    return {one["name"]: one["examples"] for one in json.loads((DATA / "examples.json").read_bytes())}


def told(name: str, payload: object) -> list[Fault]:
    return faults(validator(json.dumps(types()[name].schema)), payload)


def test_every_event_is_a_type() -> None:
    assert len(types()) == 66
    assert payloads().keys() < types().keys()
    assert {"push", "issues", "pull_request_review_comment", "workflow_run"} < types().keys()


def test_each_type_stands_alone_and_is_small() -> None:
    for one in types().values():
        check_schema(one.schema)
        assert one.schema["$schema"].removesuffix("#") == "http://json-schema.org/draft-07/schema"
        assert len(json.dumps(one.schema)) < 150_000  # of 630,000 in all


def test_the_payloads_match_but_for_those_that_really_do_not() -> None:
    at_fault = {
        (name, index) for name, examples in payloads().items() for index, one in enumerate(examples) if told(name, one)
    }
    assert sum(map(len, payloads().values())) == 329
    assert {(name, index) for name, index in at_fault if index} == OTHERS_AT_FAULT
    assert len(at_fault) == 53


def test_types_with_the_same_content_in_yaml_are_the_same() -> None:
    whole = json.loads((DATA / "schema.json").read_bytes())
    small = {"$schema": whole["$schema"], "definitions": whole["definitions"], "oneOf": whole["oneOf"][:2]}
    # JSON is YAML once it doesn't begin as JSON does.
    assert read_event_types("# yaml\n" + json.dumps(small)) == read_event_types(json.dumps(small))


def assigned(path: str, value: object) -> Callable[[Any], None]:
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")[1:]]

    def change(payload: Any) -> None:
        for step in steps:
            payload = payload[step]
        payload[last] = value

    return change


def removed(path: str) -> Callable[[Any], None]:
    *steps, last = path.split("/")[1:]

    def change(payload: Any) -> None:
        for step in steps:
            payload = payload[step]
        del payload[last]

    return change


@pytest.mark.parametrize(
    ("name", "change", "pointer", "code"),
    [
        ("issues", assigned("/issue/user/id", "x"), "/data/issue/user/id", "type"),
        ("issues", assigned("/issue/state", "ajar"), "/data/issue/state", "enum"),
        ("issues", removed("/issue/title"), "/data/issue", "required"),
        ("issues", assigned("/action", "exploded"), "/data/action", "enum"),
        ("issues", assigned("/surprise", 1), "/data", "additional_properties"),
        ("issues", assigned("/issue/labels", [5]), "/data/issue/labels/0", "type"),
        ("pull_request", assigned("/pull_request/base/repo/owner/login", None),
         "/data/pull_request/base/repo/owner/login", "type"),
        ("pull_request", assigned("/number", "one"), "/data/number", "type"),
        ("push", assigned("/commits/0/author/email", 5), "/data/commits/0/author/email", "type"),
        ("push", removed("/ref"), "/data", "required"),
        ("star", assigned("/repository/private", "no"), "/data/repository/private", "type"),
        ("workflow_run", assigned("/workflow_run/head_commit/tree_id", 1), "/data/workflow_run/head_commit/tree_id",
         "type"),
        ("release", assigned("/release/created_at", "yesterday"), "/data/release/created_at", "format"),
        ("ping", assigned("/hook/config/content_type", "xml"), "/data/hook/config/content_type", "enum"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_broken_field_is_pointed_to(name: str, change: Callable[[Any], None], pointer: str, code: str) -> None:
    examples = [deepcopy(one) for index, one in enumerate(payloads()[name]) if not told(name, one)]
    payload = next(one for one in examples if name != "push" or one["commits"])
    change(payload)
    assert (pointer, code) in [(fault.pointer, fault.code) for fault in told(name, payload)]
    assert len(told(name, payload)) == 1
