"""Names, front doors and layers: what `.importlinter` can't say, and that it says all it should."""

import ast
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, app_folders, imports, parsed, production_sources, relative, sources

FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc", "impl"}
FRONT_DOORS = {"services", "selectors", "states", "models"}
MORE_DOORS = (
    "apps.kernel",
    "apps.destinations.kinds",
    "apps.accounts.api_auth",  # who is asking: every REST door needs to know
    "apps.accounts.bearer",  # and the fast lane, too
    "apps.accounts.credentials",
    "apps.accounts.egress",  # a project's own rules, which the destinations judge by: pure
    "apps.accounts.principal",
    "apps.accounts.quotas",  # what a project may use: whoever makes something of it holds to them
    "apps.accounts.store",  # the intake's one transaction counts what a project has used
    "apps.intake.lane",  # served by the data plane's process
    "apps.deliveries.inserts",  # the intake's one transaction makes deliveries
    "apps.deliveries.fan_out",
    "apps.destinations.letters",  # how many people may have sent: counted where they are sent
    "apps.destinations.policy",  # what destinations and event types may want: pure
    "apps.destinations.routing",  # filters and transformations: used wherever events are matched and sent
    "apps.destinations.patterns",  # matching and validating are pure, and the intake's work
    "apps.events.schemas",
    "apps.events.store",  # the intake's one transaction writes events and deliveries, in sets
    "apps.deliveries.store",
    "apps.deliveries.wakeups",  # whoever makes deliveries due says so
    "apps.destinations.store",  # all that the engine needs of destinations, in sets
    "apps.destinations.sealing.Unsealable",  # what `opened` raises
)


@pytest.mark.parametrize("path", app_folders(), ids=lambda path: path.name)
def test_an_app_opens_with_a_docstring_and_nothing_else(path: Path) -> None:
    body = parsed(path / "__init__.py").body
    assert [type(node) for node in body] == [ast.Expr], "what it owns, what it receives, what it hands on"


def test_every_file_says_what_it_is_for() -> None:
    written = (path for path in _files() if path.stat().st_size)
    silent = [relative(path) for path in written if not ast.get_docstring(parsed(path))]
    assert not silent, "\n".join(silent)


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert not [relative(path) for path in _files() if FORBIDDEN_NAMES & {path.stem, path.parent.name}]


def test_the_layers_name_every_app() -> None:
    config = ConfigParser()
    config.read(ROOT / ".importlinter")
    layers = config["importlinter:contract:flow"]["layers"]
    named = {name.strip(" ()") for line in layers.split("\n") for name in line.split("|")}
    assert {path.name for path in app_folders()} <= named


def test_apps_meet_only_at_their_front_doors() -> None:
    through_a_window = [
        f"{relative(path)} imports {name}"
        for app in app_folders()
        for path in sources(f"apps/{app.name}")
        for name in imports(path)
        if name.startswith("apps.") and not _is_open(app.name, name)
    ]
    assert not through_a_window, "\n".join(through_a_window)


def _is_open(importer: str, name: str) -> bool:
    _, app, *rest = name.split(".")
    own = app == importer or not rest or rest[0] in FRONT_DOORS
    return own or any(f"{name}.".startswith(f"{door}.") for door in MORE_DOORS)


def _files() -> list[Path]:
    return [*production_sources(), *sources("tests", "tools")]
