"""The two languages of transformations, for the worker only: JMESPath over the data, Jinja2 templates over the event.

Both say the same about the same event, always: there is no clock in them and no chance.
"""

import json
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import jmespath  # type: ignore[import-untyped]
from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jmespath.exceptions import JMESPathError, LexerError, ParseError  # type: ignore[import-untyped]
from jmespath.functions import Functions  # type: ignore[import-untyped]

from apps.destinations.routing.jobs import Facts, Transform
from apps.kernel.clock import isoformat
from apps.kernel.errors import Malformed
from apps.kernel.strict_json import check, decode, encode

GLOBALS = ("range", "dict", "cycler", "joiner", "namespace")  # without lipsum, which is chance
type Program = Callable[[Facts], bytes]


class Unusable(Exception):
    """The transformation, or what it made of this event; the text is for people."""


class Missing(StrictUndefined):
    """A member that is not there: `| default(…)` takes its place however deep it was looked for, and all else fails."""

    def __getattr__(self, name: str) -> "Missing":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, *name: Any, **_: Any) -> "Missing":  # type: ignore[override]  # theirs never return
        return self


@lru_cache(256)
def compiled(transform: Transform) -> Program:
    """Raises Unusable with the place."""
    if transform.jmespath is not None:
        return _path(transform.jmespath)
    return _template(transform.template or "", is_json=not transform.content_type)


def _path(text: str) -> Program:
    try:
        path = jmespath.compile(text)
    except LexerError as error:
        raise Unusable(f"column {error.lexer_position + 1}: {error.message}") from None
    except ParseError as error:
        raise Unusable(f"column {error.lex_position + 1}: {_one_line(error.msg)}") from None
    except JMESPathError as error:
        raise Unusable(_one_line(str(error))) from None
    for name in _called(path.parsed):
        if name not in Functions.FUNCTION_TABLE:
            raise Unusable(f"there is no function {name}")
    return lambda facts: _searched(path, facts)


def _called(node: Any) -> Iterable[str]:
    if node["type"] == "function_expression":
        yield node["value"]
    for child in node.get("children", ()):
        if isinstance(child, dict):
            yield from _called(child)


def _searched(path: Any, facts: Facts) -> bytes:
    try:
        return encode(path.search(decode(facts.data)))
    except (JMESPathError, TypeError, ValueError) as error:
        raise Unusable(_one_line(str(error))) from None


class Environment(ImmutableSandboxedEnvironment):
    """A dot means a member first: `event.data.items` is the event's own, if it has one."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


@lru_cache(1)
def _environment() -> Environment:
    environment = Environment(undefined=Missing, autoescape=False, keep_trailing_newline=False, cache_size=0)
    environment.globals = {name: environment.globals[name] for name in GLOBALS}
    del environment.filters["random"]
    environment.filters["tojson"] = _to_json
    return environment


def _to_json(value: Any, indent: int | None = None) -> str:
    separators = (",", ":") if indent is None else None
    return json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)


def _template(text: str, *, is_json: bool) -> Program:
    try:
        template = _environment().from_string(text)
    except TemplateSyntaxError as error:
        raise Unusable(f"line {error.lineno}: {_one_line(error.message or 'syntax error')}") from None
    except (TemplateError, SyntaxError, ArithmeticError, TypeError, ValueError) as error:
        raise Unusable(_one_line(f"{type(error).__name__}: {error}")) from None
    return lambda facts: _rendered(template, facts, is_json=is_json)


def _rendered(template: Any, facts: Facts, *, is_json: bool) -> bytes:
    event = {name: getattr(facts, name) for name in Facts.__struct_fields__}
    event |= {"time": isoformat(facts.time), "data": decode(facts.data)}
    try:
        body = template.render(event=event).encode()
    except SecurityError as error:
        raise Unusable(f"is not allowed: {_one_line(str(error))}") from None
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # whatever the template's expressions may raise
        raise Unusable(_one_line(f"{_line_of(error)}{error}" or type(error).__name__)) from None
    return _json(body.strip()) if is_json else body


def _json(body: bytes) -> bytes:
    try:
        check(body)
    except Malformed as problem:
        raise Unusable(f"the result is no JSON: {problem.detail}") from None
    return body


def _line_of(error: BaseException) -> str:
    """Where in the template it was raised."""
    line, at = 0, error.__traceback__
    while at:
        line = at.tb_lineno if at.tb_frame.f_code.co_filename == "<template>" else line
        at = at.tb_next
    return f"line {line}: " if line else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
