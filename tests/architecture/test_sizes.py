"""Small pieces: a size that grows unseen is how a codebase loses its shape."""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

from tests.architecture.tree import parsed, production_sources, relative, sources

LONGEST_FILE = 400
MEDIAN_FILE = 100
LONGEST_FUNCTION = 60
NINE_IN_TEN_FUNCTIONS = 30


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def _functions() -> Iterator[tuple[str, int]]:
    """Name and length of every function, signature and docstring included."""
    for path in production_sources():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{relative(path)}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1


def test_no_file_is_long() -> None:
    files = [*production_sources(), *sources("tests", "tools")]
    too_long = {relative(path): _lines(path) for path in files if _lines(path) > LONGEST_FILE}
    assert not too_long, "split by what they are responsible for"


def test_most_files_are_short() -> None:
    assert median(map(_lines, production_sources())) < MEDIAN_FILE


def test_no_function_is_long() -> None:
    too_long = {name: length for name, length in _functions() if length > LONGEST_FUNCTION}
    assert not too_long, "name the steps and call them"


def test_nine_functions_in_ten_fit_a_screen() -> None:
    assert quantiles((length for _, length in _functions()), n=10)[-1] <= NINE_IN_TEN_FUNCTIONS
