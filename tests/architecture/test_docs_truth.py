"""The reference pages say what the code says: variables, commands, scopes, calls, metrics, codes, schedules."""

import ast
import re
from argparse import ArgumentParser
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from annotated_types import Ge, Le
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand
from prometheus_client import REGISTRY

from apps.accounts.scopes import ROLES, SCOPES
from apps.deliveries.engine.parcel import Obstacle
from apps.deliveries.policy.retry import DEFAULT_SCHEDULE
from apps.destinations.kinds.email import failures as of_email
from apps.destinations.kinds.webhook import failures as of_webhook
from apps.kernel.errors import Problem
from config.environment import SECRETS, Environment
from config.urls import api
from tests.architecture.tree import APPS, ROOT, parsed, sources

REFERENCE = ROOT / "docs" / "reference"
OURS = sorted(name for name, app in get_commands().items() if str(app).startswith("apps."))
CODE = re.compile(r"[a-z]+(_[a-z0-9]+)*")
PROBLEMS = [kind for kind in Problem.__subclasses__() if kind.__module__ == Problem.__module__]
ROUTES: list[Any] = list(api)
CALLS = {"get": "GET", "post": "POST", "patch": "PATCH", "delete": "DELETE", "put": "PUT"}


def _page(name: str) -> str:
    return (REFERENCE / name).read_text()


def _section(page: str, heading: str) -> str:
    """The text below a heading, to the next one of its level."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", _page(page), re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no section {heading}"
    return found[1]


def _rows(text: str) -> list[list[str]]:
    """The cells of every table's body."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in rows if row[0].startswith("`")]


def _named(text: str) -> list[str]:
    """What the first column of the tables names, in backticks."""
    return [name for row in _rows(text) for name in re.findall(r"`([^`]+)`", row[0])]


# The environment


def test_the_environment_table_names_every_variable_once() -> None:
    assert sorted(_named(_page("environment.md"))) == sorted(name.upper() for name in Environment.model_fields)


@pytest.mark.parametrize("name", [name for name, field in Environment.model_fields.items() if field.annotation is int])
def test_the_environment_table_has_defaults_and_bounds(name: str) -> None:
    field = Environment.model_fields[name]
    [least] = [bound.ge for bound in field.metadata if isinstance(bound, Ge)]
    [most] = [bound.le for bound in field.metadata if isinstance(bound, Le)]
    [row] = [row for row in _rows(_page("environment.md")) if row[0] == f"`{name.upper()}`"]
    assert row[1] == f"`{field.default}`"
    assert f"{least} to {most}" in row[2]


def test_the_page_names_every_secret_that_a_file_may_hold() -> None:
    assert set(re.findall(r"`([A-Z_]+)`", _section("environment.md", "Secrets from files"))) - {"NAME_FILE"} == SECRETS


# Commands


def test_the_commands_table_names_every_command() -> None:
    table = _page("commands.md").split("\n## ")[0]
    assert sorted(_named(table)) == OURS


@pytest.mark.parametrize("name", OURS)
def test_a_commands_section_has_its_options(name: str) -> None:
    command = load_command_class(str(get_commands()[name]), name)
    section = _section("commands.md", name)
    missing = [option for option in _own_options(command, name) if f"`{option}`" not in section]
    assert not missing


def _own_options(command: BaseCommand, name: str) -> set[str]:
    return _options(command.create_parser("manage.py", name)) - _options(BaseCommand().create_parser("manage.py", "x"))


def _options(parser: ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings}


# Who may do what


def test_the_scopes_table_is_the_code() -> None:
    assert [tuple(row[:2]) for row in _rows(_section("roles-and-scopes.md", "Scopes"))] == [
        (f"`{scope}`", meaning) for scope, meaning in SCOPES.items()
    ]


def test_the_roles_table_names_every_role() -> None:
    assert [row[0] for row in _rows(_section("roles-and-scopes.md", "Roles"))] == [f"`{role}`" for role in ROLES]


def test_the_list_of_calls_is_the_urls_with_their_scopes() -> None:
    written = {row[0].strip("`"): row[1].strip("`") for row in _rows(_section("api.md", "Calls"))}
    assert written == dict(_calls())


def _calls() -> Iterator[tuple[str, str]]:
    """`GET /events/{id}` and the scope it needs, of every route."""
    for route in ROUTES:
        view = route.callback
        methods: dict[str, str] = getattr(view, "actions", None) or {m: m for m in CALLS if hasattr(view.cls, m)}
        path = "/" + str(route.pattern).replace("<pk>", "{id}")
        for method, action in methods.items():
            if method in CALLS:
                yield f"{CALLS[method]} {path}", _scope(view.cls, method, action)


def test_the_table_of_filters_is_the_code() -> None:
    written = {row[0]: set(re.findall(r"`(\w+)`", row[1])) for row in _rows(_section("api.md", "Lists"))}
    assert written == {f"`/{route.pattern}`": set(filters) for route in ROUTES if (filters := _filters(route))}


def _filters(route: Any) -> dict[str, Any]:
    is_list = "list" in (getattr(route.callback, "actions", None) or {}).values() and "<pk>" not in str(route.pattern)
    filterset = getattr(route.callback.cls, "filterset_class", None)
    return filterset.base_filters if is_list and filterset else {}


def _scope(view: type, method: str, action: str) -> str:
    if not hasattr(view, "area"):
        return "none"
    default = f"{view.area}:{'read' if method == 'get' else 'write'}"
    return str(getattr(view, "scopes", {}).get(action, default))


# What is told


def test_the_metrics_table_names_every_metric() -> None:
    for path in APPS.rglob("telemetry.py"):
        import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    families = [family for family in REGISTRY.collect() if family.name.startswith("trunkline_")]
    exposed = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    assert set(_named(_section("metrics-and-logs.md", "Metrics"))) == exposed


def test_the_log_table_names_every_event() -> None:
    logged = {call.args[0].value for call in _log_calls()} | {call.args[1].value for call in _calls_of("wide", "tell")}
    assert logged <= set(_named(_section("metrics-and-logs.md", "Logs")))


def _log_calls() -> Iterator[Any]:
    return (call for call in _calls_of("log") if call.func.attr != "bind")


def _calls_of(owner: str, attribute: str = "") -> Iterator[Any]:
    """Calls of `owner.attribute(…)`, or of any attribute."""
    for path in sources("apps", "config"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                named = isinstance(node.func.value, ast.Name) and node.func.value.id == owner
                if named and attribute in {"", node.func.attr}:
                    yield node


# Codes


def test_the_error_codes_are_those_of_the_source() -> None:
    written = {*_named(_section("error-codes.md", "Problem codes")), *_named(_section("error-codes.md", "Fault codes"))}
    assert sorted(_answered() - written) == [], "not on the page"
    text = "".join(path.read_text() for path in sources("apps"))
    unknown = {code for code in written if f'"{code}"' not in text}
    assert unknown == {"method_not_allowed"}, "not in the source (but for these, REST framework's)"


def test_each_problem_has_its_status() -> None:
    rows = {row[0].strip("`"): row[1] for row in _rows(_section("error-codes.md", "Problem codes"))}
    assert {kind.code: str(kind.status) for kind in PROBLEMS}.items() <= rows.items()


def _answered() -> set[str]:
    """Every code in the source: `code="…"`, the third of a Fault, and what stands behind the sentence it belongs to."""
    doors = (path for path in sources("apps") if not any(part.startswith("admin") for part in path.parts))
    found = {code for path in doors for node in ast.walk(parsed(path)) for code in _codes_in(node)}
    return found | {kind.code for kind in PROBLEMS}


def _codes_in(node: ast.AST) -> Iterator[str]:
    candidates: list[ast.AST] = []
    row = node.elts if isinstance(node, ast.Tuple) else []
    if isinstance(node, ast.Call):
        row = node.args
        candidates += [keyword.value for keyword in node.keywords if keyword.arg == "code"]
        candidates += row[2:3] if isinstance(node.func, ast.Name) and node.func.id == "Fault" else []
    candidates += [behind for text, behind in pairwise(row) if _is_sentence(text)]
    yield from filter(None, map(_code, candidates))


def _code(node: ast.AST) -> str:
    text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
    return text if CODE.fullmatch(text) else ""


def _is_sentence(node: ast.AST) -> bool:
    constant = isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value
    return constant or isinstance(node, ast.JoinedStr)


def test_the_attempt_errors_are_those_of_the_source() -> None:
    named = [*vars(of_webhook).items(), *vars(of_email).items()]
    constants = {value for name, value in named if name.isupper() and isinstance(value, str)}
    literal = {word for path in sources("apps/deliveries") for word in _errors_in(path)}
    assert set(_named(_section("error-codes.md", "Attempt error codes"))) == constants | literal | set(Obstacle)


def _errors_in(path: Path) -> Iterator[str]:
    calls = (node for node in ast.walk(parsed(path)) if isinstance(node, ast.Call))
    outcomes = (call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Outcome")
    for call in outcomes:
        yield from (word for keyword in call.keywords if keyword.arg == "error" and (word := _code(keyword.value)))


# Times


def test_the_schedule_is_the_code() -> None:
    [waits] = re.findall(r"^\| wait \| (.+) \|$", _page("webhooks.md"), re.MULTILINE)
    seconds = {"s": 1, "min": 60, "h": 3600}
    written = tuple(int(number) * seconds[unit] for number, unit in (wait.split() for wait in waits.split(" | ")))
    assert written == DEFAULT_SCHEDULE
    assert f"That is {len(DEFAULT_SCHEDULE) + 1} attempts" in _page("webhooks.md")
