"""JSON without surprises: I-JSON (RFC 7493) as the RFC 8259 subset on which all readers agree.

The good path is two passes of msgspec. What it refuses is read once more by the standard library, which is
slower and can say where and why.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from apps.kernel.errors import Fault, Malformed

MAX_DEPTH = 64  # nested arrays and objects
MAX_INTEGER_DIGITS = 4300  # CPython's own limit: converting more takes quadratic time
MAX_NAME_SHOWN = 200  # characters of a member's name that a pointer repeats

_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_COLON = re.compile(rb"\\u003[aA]")

decode = msgspec.json.Decoder().decode  # for bytes that went through `check` before
encode = msgspec.json.Encoder().encode


def check(raw: bytes, *, depth: int = MAX_DEPTH) -> Any:
    """The decoded value of a JSON text; raises Malformed for what isn't I-JSON or nests deeper than `depth`.

    Refused: any encoding but UTF-8, a byte order mark, NaN and infinities, a member name twice in one object,
    lone surrogates, numbers beyond a double (1e999) and integers of more than 4,300 digits. Other integers
    stay exact.
    """
    try:
        value = decode(raw)
        members = encode(value).count(b":")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _explain(raw, depth) or Malformed(f"the body isn't JSON: {error}") from error
    # Each member costs one colon and decoding drops repeated members; colons in strings count alike on both
    # sides. So a difference means a repeated name, or a `\\u003a` that only a full look tells from an escape.
    if _colons(raw) != members:
        _raise_if(_explain(raw, depth))
    # Brackets bound the depth from above; few bodies have enough of them to need the exact answer.
    if raw.count(b"[") + raw.count(b"{") > depth and _nests_deeper(value, depth):
        _raise_if(_explain(raw, depth))
    return value


def _colons(raw: bytes) -> int:
    escaped = len(_ESCAPED_COLON.findall(raw)) if b"\\" in raw else 0
    return raw.count(b":") + escaped


def pointer(*tokens: str | int) -> str:
    """A JSON Pointer (RFC 6901); names of absurd length are cut, since they come from outside."""
    return "".join(f"/{_escaped(str(token))}" for token in tokens)


def _escaped(token: str) -> str:
    if len(token) > MAX_NAME_SHOWN:
        token = token[:MAX_NAME_SHOWN] + "…"
    token = _SURROGATE.sub("\ufffd", token)  # an answer must be encodable
    return token.replace("~", "~0").replace("/", "~1")


def _raise_if(problem: Malformed | None) -> None:
    if problem is not None:
        raise problem


def _nests_deeper(value: object, depth: int) -> bool:
    """Level by level, so that depth costs no stack."""
    level: list[object] = [value]
    for _ in range(depth):
        level = [child for node in level if isinstance(node, dict | list) for child in _children(node)]
        if not level:
            return False
    return any(isinstance(node, dict | list) for node in level)


def _children(node: dict[str, object] | list[object]) -> Iterable[object]:
    return node.values() if isinstance(node, dict) else node


# From here on, speed matters less than words.


def _explain(raw: bytes, depth: int) -> Malformed | None:
    """What is wrong with the text, None if nothing is."""
    try:
        text = _text(raw)
        tree = _reader.decode(text)
    except Malformed as problem:
        return problem
    except json.JSONDecodeError as error:
        return Malformed(f"the body isn't JSON: line {error.lineno}, column {error.colno}: {error.msg}")
    except RecursionError:
        return _malformed(_too_deep())
    flaw = _flaw(tree, depth)
    return _malformed(flaw) if flaw else None


def _malformed(flaw: Fault) -> Malformed:
    return Malformed(f"{flaw.pointer or 'the body'}: {flaw.detail}", code=flaw.code, faults=[flaw])


def _text(raw: bytes) -> str:
    if not raw.strip():
        raise Malformed("the body is empty, a JSON value was expected", code="empty_body")
    if json.detect_encoding(raw) != "utf-8":
        raise Malformed("the body must be UTF-8 without a byte order mark", code="not_utf8")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line, column = raw.count(b"\n", 0, error.start) + 1, error.start - raw.rfind(b"\n", 0, error.start)
        where = f"line {line}, byte {column} of the line"
        raise Malformed(f"the body isn't UTF-8: {where}: {error.reason}", code="not_utf8") from error


class _Members(list[tuple[str, object]]):
    """An object's members as written, repeated ones included."""


class _Unheld:
    """A number, or what poses as one, that JSON readers do not agree on."""

    def __init__(self, text: str) -> None:
        self.text = text if len(text) <= 20 else f"{text[:20]}…"


def _integer(text: str) -> int | _Unheld:
    return 0 if len(text.lstrip("-")) <= MAX_INTEGER_DIGITS else _Unheld(text)


def _fraction(text: str) -> float | _Unheld:
    number = float(text)
    return _Unheld(text) if number in (float("inf"), float("-inf")) else number


_reader = json.JSONDecoder(
    object_pairs_hook=_Members, parse_int=_integer, parse_float=_fraction, parse_constant=_Unheld
)


def _flaw(node: object, depth: int) -> Fault | None:
    """The first departure from I-JSON at or below the node, outermost first, no deeper than is allowed."""
    if isinstance(node, str):
        return _flaw_of_text(node)
    if isinstance(node, _Unheld):
        return _unheld(node)
    if not isinstance(node, list):
        return None
    if depth == 0:
        return _too_deep()
    if isinstance(node, _Members) and (found := _flaw_of_names(node)):
        return found
    for token, child in node if isinstance(node, _Members) else enumerate(node):
        if found := _flaw(child, depth - 1):
            return found.under(pointer(token))
    return None


def _flaw_of_text(text: str) -> Fault | None:
    if text.isascii() or not _SURROGATE.search(text):
        return None
    return Fault("", "holds half of a surrogate pair, which is no character", "lone_surrogate")


def _flaw_of_names(members: _Members) -> Fault | None:
    seen: set[str] = set()
    for name, _ in members:
        if name in seen:
            return Fault(pointer(name), "stands twice in the same object", "duplicate_member")
        if found := _flaw_of_text(name):
            return found.under(pointer(name))
        seen.add(name)
    return None


def _unheld(number: _Unheld) -> Fault:
    if number.text.lstrip("-")[0].isdigit():
        return Fault("", f"{number.text} is a number too large to hold", "number_out_of_range")
    return Fault("", f"{number.text} isn't JSON", "not_a_number")


def _too_deep() -> Fault:
    return Fault("", f"nests too deep: at most {MAX_DEPTH} levels are taken", "too_deep")
