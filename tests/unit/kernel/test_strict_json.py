"""Strict JSON: a table of what is refused and how it is told, and properties of what is taken."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.kernel import strict_json
from apps.kernel.errors import Malformed
from apps.kernel.strict_json import MAX_DEPTH, check, pointer

DEEPEST = MAX_DEPTH


def refusal(raw: bytes) -> Malformed:
    with pytest.raises(Malformed) as caught:
        check(raw)
    return caught.value


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "empty_body"),
        (b" \r\n\t", "empty_body"),
        (b"\xef\xbb\xbf{}", "not_utf8"),
        ("{}".encode("utf-16"), "not_utf8"),
        ("{}".encode("utf-16-le"), "not_utf8"),
        ("{}".encode("utf-16-be"), "not_utf8"),
        ("{}".encode("utf-32"), "not_utf8"),
        (b'{"a": "\xff"}', "not_utf8"),
        (b'{"\xff": 1}', "not_utf8"),
        (b'"\xed\xa0\x80"', "not_utf8"),  # a surrogate, encoded as if it were a character
        (b'"\xc0\xaf"', "not_utf8"),  # an overlong encoding
        ('"é"'.encode("latin-1"), "not_utf8"),
        (b"{", "malformed"),
        (b'{"a": 1', "malformed"),
        (b'{"a": 1,}', "malformed"),
        (b"[1,]", "malformed"),
        (b"[1 2]", "malformed"),
        (b"{} {}", "malformed"),
        (b"{}\x00", "malformed"),
        (b"{'a': 1}", "malformed"),
        (b"{a: 1}", "malformed"),
        (b"// no comments\n1", "malformed"),
        (b"01", "malformed"),
        (b"1.", "malformed"),
        (b".5", "malformed"),
        (b"+1", "malformed"),
        (b"0x10", "malformed"),
        (b"True", "malformed"),
        (b"undefined", "malformed"),
        (b'"\x00"', "malformed"),
        (b'"tab\there"', "malformed"),
        (b'"line\nbreak"', "malformed"),
        (b'"\\x41"', "malformed"),
        (b'"\\u00g0"', "malformed"),
        (b"\xc2\xa0{}", "malformed"),  # a no-break space isn't JSON's white space
    ],
)
def test_what_is_no_json_at_all(raw: bytes, code: str) -> None:
    assert refusal(raw).code == code


@pytest.mark.parametrize(
    ("raw", "where", "code"),
    [
        (b"NaN", "", "not_a_number"),
        (b'{"a": [1, NaN]}', "/a/1", "not_a_number"),
        (b'{"a": Infinity}', "/a", "not_a_number"),
        (b'{"a": -Infinity}', "/a", "not_a_number"),
        (b"1e999", "", "number_out_of_range"),
        (b'{"a": {"b": -1e999}}', "/a/b", "number_out_of_range"),
        (b"[" + b"9" * 4301 + b"]", "/0", "number_out_of_range"),
        (b'{"a": 1, "a": 1}', "/a", "duplicate_member"),
        (b'{"a": 1, "a": {"b": 2}}', "/a", "duplicate_member"),
        (b'{"a": 1, "\\u0061": 2}', "/a", "duplicate_member"),
        (b'{"": 1, "": 2}', "/", "duplicate_member"),
        (b'{"x": [{"a/b": 1, "a/b": 2}]}', "/x/0/a~1b", "duplicate_member"),
        (b'{"x": {"y": {"~": 1, "~": 2}}}', "/x/y/~0", "duplicate_member"),
        # Colons in strings, in all spellings, don't hide a repeated name.
        (b'{"a": 1, "a": 2, "b": "\\u003a"}', "/a", "duplicate_member"),
        (b'{"a": 1, "a": 2, "b": "\\u003A:"}', "/a", "duplicate_member"),
        (b'{"a": 1, "a": 2, "b": "\\\\u003a"}', "/a", "duplicate_member"),
        (b'{"a": ":", "a": 2, ":": "::"}', "/a", "duplicate_member"),
        (b'{"a": 1, "a": 2, "b": 123456789012345678901234567890}', "/a", "duplicate_member"),
        (b'"\\ud800"', "", "lone_surrogate"),
        (b'"\\udc00 first"', "", "lone_surrogate"),
        (b'"\\ud800\\ud800"', "", "lone_surrogate"),
        (b'["fine", {"a": "x\\udfff"}]', "/1/a", "lone_surrogate"),
        (b'{"\\ud800": 1}', "/\ufffd", "lone_surrogate"),
        (b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), "/0" * DEEPEST, "too_deep"),
        (b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1), "/a" * DEEPEST, "too_deep"),
        (b"[" * 100_000 + b"]" * 100_000, "", "too_deep"),
        (b'{"a":' * 100_000, "", "too_deep"),
    ],
)
def test_json_that_readers_disagree_on(raw: bytes, where: str, code: str) -> None:
    problem = refusal(raw)
    assert (problem.code, [fault.pointer for fault in problem.faults]) == (code, [where])


@pytest.mark.parametrize("depth", range(1, 12))
def test_a_repeated_name_is_found_at_each_depth(depth: int) -> None:
    raw = b'{"a":' * depth + b'{"b": 1, "b": 2}' + b"}" * depth
    assert refusal(raw).faults[0].pointer == "/a" * depth + "/b"


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"null", None),
        (b" \r\n\t true ", True),
        (b'"\\ud83d\\ude00 \\/ \\u0000"', "😀 / \0"),
        (b"-0", 0),
        (b"1E5", 100000.0),
        (b"1e-999", 0.0),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b'{"a":{"b":1},"b":1}', {"a": {"b": 1}, "b": 1}),
        (b'{"a": "\\u003a", "b\\u003A": ":"}', {"a": ":", "b:": ":"}),
        (b'{"a": "\\\\u003a"}', {"a": "\\u003a"}),  # an escaped backslash, not an escaped colon
        (b"[" * DEEPEST + b"]" * DEEPEST, eval("[" * DEEPEST + "]" * DEEPEST)),
        (b'"' + b"[{" * 500 + b'"', "[{" * 500),  # brackets in strings are no depth
        (b"[" + b",".join([b"[]"] * 500) + b"]", [[]] * 500),
    ],
)
def test_what_is_taken(raw: bytes, value: object) -> None:
    assert check(raw) == value
    assert strict_json.decode(raw) == value


def test_a_syntax_error_names_line_and_column() -> None:
    assert "line 3, column 3" in refusal(b'{\n  "a": 1,\n  b\n}').detail


def test_a_byte_that_is_no_utf8_is_named() -> None:
    assert "line 2, byte 4 of the line" in refusal(b'[\n "a\xff"]').detail


@pytest.mark.parametrize("number", [b"1" * 100_000, b"-" + b"1" * 100_000, b"1" * 5_000_000 + b".5"])
def test_a_number_of_absurd_length_is_refused_at_once_and_not_repeated(number: bytes) -> None:
    problem = refusal(b'{"a": ' + number + b"}")
    assert problem.code == "number_out_of_range"
    assert len(problem.detail) < 100


def test_a_name_of_absurd_length_is_not_repeated() -> None:
    name = b'"' + b"n" * 1_000_000 + b'"'
    assert len(refusal(b"{" + name + b":1," + name + b":2}").detail) < 500


def test_the_depth_can_be_raised_for_an_envelope() -> None:
    raw = b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1)
    assert check(raw, depth=DEEPEST + 1)


def test_a_pointer_escapes_as_rfc_6901_says() -> None:
    assert pointer("a/b", 0, "m~n", "", " ") == "/a~1b/0/m~0n// "


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values, st.booleans(), st.sampled_from([None, 2]), st.sampled_from([(",", ":"), (" , ", "\t:\n")]))
def test_any_json_is_read_as_it_is(value: Any, ascii_only: bool, indent: int | None, separators: Any) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=separators)
    assert check(text.encode()) == value


@given(st.lists(st.tuples(st.sampled_from(["a", "b", ":", "\\u003a", "é", '"']), json_values), max_size=5))
def test_a_name_is_refused_exactly_when_it_is_repeated(members: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in members]
    raw = "{" + ",".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in members) + "}"
    if len(set(names)) == len(names):
        assert check(raw.encode()) == dict(members)
    else:
        assert refusal(raw.encode()).code == "duplicate_member"


@given(st.binary(max_size=200) | st.text(alphabet='{}[]":,\\u0123d8aNIe-+. \n', max_size=60).map(str.encode))
def test_arbitrary_bytes_are_json_or_malformed(raw: bytes) -> None:
    try:
        value = check(raw)
    except Malformed:
        return
    assert value == json.loads(raw)
