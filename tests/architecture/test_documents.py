"""What is written down is still true: links, the state diagram, the environment."""

import re
from pathlib import Path

import pytest

from config.environment import Environment
from tests.architecture.tree import ROOT, production_sources, relative, sources
from tools import state_diagram

LINK = re.compile(r"(?<!!)\[[^\]]+\]\((?P<target>[^)\s]+)\)")
CODE = re.compile(r"```.*?```", re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
MENTION = re.compile(r"\bdocs/[\w/-]+\.md\b")
VARIABLE = re.compile(r"^([A-Z_]+)=", re.MULTILINE)


def _pages() -> list[Path]:
    hidden = (".venv", "var", "node_modules")
    return [path for path in sorted(ROOT.rglob("*.md")) if not {*path.parts} & {*hidden, ".git"}]


def _anchors(page: Path) -> set[str]:
    """As GitHub makes them: lower case, no punctuation, hyphens for spaces."""
    headings = HEADING.findall(CODE.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _dead_links(page: Path) -> list[str]:
    targets = (match["target"] for match in LINK.finditer(CODE.sub("", page.read_text())))
    return [target for target in targets if "://" not in target and not _resolves(page, target)]


def _resolves(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    found = (page.parent / path).resolve() if path else page
    return found.exists() and (not anchor or found.suffix != ".md" or anchor in _anchors(found))


@pytest.mark.parametrize("page", _pages(), ids=relative)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert not _dead_links(page)


def test_every_page_the_code_mentions_is_there() -> None:
    files = [*production_sources(), *sources("tests", "tools"), ROOT / "compose.yaml", ROOT / ".env.example"]
    mentions = {(relative(path), page) for path in files for page in MENTION.findall(path.read_text())}
    assert not {(path, page) for path, page in mentions if not (ROOT / page).exists()}


def test_the_diagram_shows_the_table() -> None:
    page = state_diagram.PAGE.read_text()
    assert page == state_diagram.redrawn(page), "run python -m tools.state_diagram"


def test_the_example_environment_names_every_variable() -> None:
    named = VARIABLE.findall((ROOT / ".env.example").read_text())
    assert sorted(named) == sorted(name.upper() for name in Environment.model_fields)
