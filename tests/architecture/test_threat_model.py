"""Every line of the threat model points to a test that is there."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, parsed

PAGE = ROOT / "docs/explanation/threat-model.md"
ROW = re.compile(r"^\| (?P<letter>[A-Z]) \|.*\| (?P<test>[^|]*) \|$", re.MULTILINE)
ROWS = [(match["letter"], match["test"]) for match in ROW.finditer(PAGE.read_text())]
HEADS = ("| | threat", "|---")


def _tests_in(path: Path) -> set[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(parsed(path)) if isinstance(node, kinds) and node.name.startswith("test_")}


@pytest.mark.parametrize(("letter", "cell"), ROWS)
def test_a_line_points_to_a_test(letter: str, cell: str) -> None:
    path, _, name = cell.strip("`").partition("::")
    assert (ROOT / path).is_file(), path
    tests = _tests_in(ROOT / path)
    assert name in tests if name else tests


def test_no_line_is_without_one() -> None:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("|") and not line.startswith(HEADS)]
    assert len(lines) == len(ROWS) > 40


def test_every_letter_of_stride_is_thought_of() -> None:
    assert {letter for letter, _ in ROWS} == set("STRIDE")
