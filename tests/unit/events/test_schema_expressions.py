"""No schema's regular expressions take long to compile, or much memory: in all, not each."""

import json
import subprocess
import sys
from typing import Any

import pytest

from apps.events.schemas import check_schema, validator
from apps.events.schemas.patterns import estimated_size, size_limit
from apps.events.schemas.validators import compiled
from apps.kernel.errors import Invalid

CLASS = r"^\p{L}{60}%d$"


def several(pattern: str, number: int) -> dict[str, Any]:
    return {"allOf": [{"pattern": pattern % n} for n in range(number)]}


def referred(pattern: str, number: int) -> dict[str, Any]:
    """The same, where schemas stand only because something refers to them."""
    names = [f"n{n}" for n in range(number)]
    held = {name: {"pattern": pattern % n} for n, name in enumerate(names)}
    return {"allOf": [{"$ref": f"#/x-parts/{name}"} for name in names], "x-parts": held}


REFUSED = [
    pytest.param(several(CLASS, 100), "/schema/allOf/2/pattern", "too_complex", id="many classes of Unicode"),
    pytest.param(referred(CLASS, 100), "/schema/allOf/2/$ref/pattern", "too_complex", id="in a hidden place"),
    pytest.param(several(r"^.{400}%d$", 100), "/schema/allOf/9/pattern", "too_complex", id="many dots"),
    pytest.param(several("^(x{100}){20}%d$", 100), "/schema/allOf/13/pattern", "too_complex", id="products"),
    pytest.param({"pattern": r"\pL{999}"}, "/schema/pattern", "too_complex", id="a class without braces"),
    pytest.param({"pattern": r"(?x)\p{L} {300}"}, "/schema/pattern", "invalid_pattern", id="a count that is misread"),
    pytest.param(
        {"patternProperties": {CLASS % n: {} for n in range(100)}},
        r"/schema/patternProperties/^\p{L}{60}2$",
        "too_complex",
        id="names",
    ),
]


@pytest.mark.parametrize(("schema", "pointer", "code"), REFUSED)
def test_expressions_that_are_too_much_in_all(schema: dict[str, Any], pointer: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_schema(schema)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [(pointer, code)]


ORDINARY = [
    r"^[\p{L}\p{M}' -]{1,80}$",
    r"^[^\s@]{1,64}@[^\s@]{1,255}$",
    r"^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$",
    r"^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
    r"^.{1,2000}$",
    r"^(?=.*\d)(?=.*[A-Z])(?!.*\s).{8,72}$",
    r"^[A-Za-z0-9+/]{0,4096}={0,2}$",
    r"^https?://\S{1,1000}$",
]


@pytest.mark.parametrize("pattern", ORDINARY)
def test_ordinary_expressions_are_taken(pattern: str) -> None:
    check_schema({"pattern": pattern})


# The heaviest of their kinds that are taken; each in a process of its own, where memory has a beginning.
HEAVIEST = [
    several(r"^\p{L}{1}%d$", 100),
    several(r"^\p{L}{57}%d$", 3),
    several(r"^\S{34}%d$", 100),
    several(r"^(a?){125}%d$", 100),
    {"allOf": [*several(r"^\p{L}{57}%d$", 2)["allOf"], {"pattern": r"^(?=\p{L}{55})b"}]},
]
MEASURE = """
import json, sys, time
from apps.events.schemas import check_schema, validator

def resident():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1])

schema, small = sys.stdin.read(), '{"pattern": "^(?=a)b"}'
check_schema(json.loads(small)), validator(small)
before = resident()
check_schema(json.loads(schema))
start = time.process_time()
validator(schema)
print(json.dumps([time.process_time() - start, (resident() - before) / 1000]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("schema", HEAVIEST, ids=lambda schema: str(schema["allOf"][0]["pattern"]))
def test_the_heaviest_that_are_taken(schema: dict[str, Any]) -> None:
    asked = [sys.executable, "-c", MEASURE]
    told = subprocess.run(asked, input=json.dumps(schema), capture_output=True, text=True, check=True)
    seconds, megabytes = json.loads(told.stdout)
    assert seconds < 0.3
    assert megabytes < 30


SIZES = ["abc", r"\p{L}{9}", r"[\p{L}\p{N}]{9}", r"[^a]{99}", ".{99}", r"\S{99}", r"\W{99}", r"\s{99}", "(?i)s{99}"]
SIZES += [
    "é{99}",
    "(?i)\u017f{99}",
    "(a{0,9}){0,9}",
    "(a?){99}",
    "[ĀĂĄĆĈĊČĎĐĒĔ]{99}",
    r"[\u0000-\uffff]{99}",
    r"\PL{9}",
]


@pytest.mark.parametrize("pattern", SIZES)
def test_no_estimate_is_too_small(pattern: str) -> None:
    compiled({"pattern": pattern}, size=estimated_size(pattern))


def test_an_engine_takes_no_more_than_was_estimated() -> None:
    with pytest.raises(ValueError, match="regex"):
        compiled({"pattern": r"\p{L}{9}"}, size=size_limit("abc"))


def test_the_validators_remembered_are_bounded_by_their_size() -> None:
    first = json.dumps({"description": "d" * 500_000})
    remembered = validator(first)
    assert validator(first) is remembered
    for number in range(16):  # eight megabytes each, of 128
        validator(json.dumps({"description": "d" * 500_000, "title": str(number)}))
    assert validator(first) is not remembered
