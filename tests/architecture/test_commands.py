"""Every management command explains itself and has a test; every make target is in the list."""

import re
import subprocess

import pytest
from django.core.management import get_commands, load_command_class

from tests.architecture.tree import ROOT, sources

OURS = sorted((name, app) for name, app in get_commands().items() if str(app).startswith("apps."))


@pytest.mark.parametrize(("name", "app"), OURS)
def test_a_command_has_help(name: str, app: str) -> None:
    assert load_command_class(app, name).help.strip()


@pytest.mark.parametrize("name", [name for name, _ in OURS])
def test_a_command_has_a_test(name: str) -> None:
    named = re.compile(rf"""["']{name}["']""")
    tests = (path for path in sources("tests") if "architecture" not in path.parts)
    assert any(named.search(path.read_text()) for path in tests), f"no test calls {name}"


def test_make_lists_every_target_people_call() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[1].split()) - {"base", "dev"}  # type: ignore[index]
    listed = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  make (\w+)", listed, re.MULTILINE)) == phony
