"""JSON or YAML as one plain document."""

import math
import re
from collections.abc import Hashable, Iterator
from itertools import count
from typing import Any

import yaml

from apps.kernel import strict_json
from apps.kernel.errors import Invalid, Malformed, TooLarge

MAX_DEPTH = 128
MAX_JSON_BYTES = 20_000_000  # the largest OpenAPI documents have about ten million
MAX_YAML_BYTES = 5_000_000
MAX_VALUES = 1_000_000  # of YAML, written out: aliases repeat what they stand for


def read_document(text: str) -> dict[str, Any]:
    """The object in a JSON or YAML 1.2 text (of YAML what JSON can say); raises Malformed, TooLarge or Invalid."""
    text = text.removeprefix("\ufeff")  # an editor's habit
    document = _json(text) if text.lstrip().startswith(("{", "[")) else _yaml(text)
    if not isinstance(document, dict):
        raise Invalid("the document must be an object", code="unknown_document")
    return document


def _json(text: str) -> Any:
    raw = text.encode(errors="surrogatepass")
    if len(raw) > MAX_JSON_BYTES:
        raise TooLarge(f"the document has {len(raw)} bytes; at most {MAX_JSON_BYTES} are read")
    return strict_json.check(raw, depth=MAX_DEPTH)


def _yaml(text: str) -> Any:
    if len(text) > MAX_YAML_BYTES:
        raise TooLarge(f"the document has {len(text)} characters; of YAML, at most {MAX_YAML_BYTES} are read")
    try:
        _refuse_deep(text)
        # Made from the safe loader, it builds nothing but plain values.
        loaded = yaml.load(text, Loader=_Loader)  # noqa: S506
    except (yaml.YAMLError, ValueError) as error:
        raise Malformed(f"the document is neither JSON nor YAML: {error}"[:500]) from error
    return _plain(loaded, 0, count())


def _refuse_deep(text: str) -> None:
    """Before anything is built: the loader recurses without a limit of its own, down to a crash."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise Malformed(f"the document nests deeper than {MAX_DEPTH} levels", code="too_deep")


def _plain(value: Any, depth: int, steps: Iterator[int]) -> Any:
    """The value as JSON would hold it, with what aliases stand for written out."""
    if depth > MAX_DEPTH or next(steps) > MAX_VALUES:
        raise Malformed("the document's aliases make it too large or endless", code="too_deep")
    if isinstance(value, dict):
        return {_name(name): _plain(inner, depth + 1, steps) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, depth + 1, steps) for inner in value]
    if value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise Malformed(f"the document holds what JSON can't: {str(value)[:50]!r}")


def _name(name: Hashable) -> str:
    """A member's name; in YAML, `200:` is a number."""
    if isinstance(name, bool | None):
        return {True: "true", False: "false", None: "null"}[name]
    if isinstance(name, str | int):
        return str(name)
    raise Malformed(f"{str(name)[:50]!r} is no name of a member")


class _Loader(yaml.CSafeLoader):
    """YAML 1.2's core schema, in which `on` is a word, `010` is ten and a date is text; no name twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            name = (key.tag, str(key.value))
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{name[1]!r} stands twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def _integer(loader: yaml.CSafeLoader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    return int(text, 0) if text.startswith(("0x", "0o")) else int(text)


def _float(loader: yaml.CSafeLoader, node: yaml.ScalarNode) -> float:
    return float(str(loader.construct_scalar(node)).replace(".inf", "inf").replace(".nan", "nan"))


def _resolve(kind: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(rf"(?:{pattern})\Z"), list(first))


# YAML 1.2.2, 10.3.2 "Tag Resolution"
_resolve("null", "~|null|Null|NULL|", "~nN")
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"\Z"), [""])
_resolve("bool", "true|True|TRUE|false|False|FALSE", "tTfF")
_resolve("int", "[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789")
_resolve("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789")
_resolve("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+.")
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)
