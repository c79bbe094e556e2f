"""The source tree as these tests see it: parsed once, migrations left out."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ROOT / "apps"


def app_folders() -> list[Path]:
    """Every app's folder."""
    return [path for path in sorted(APPS.iterdir()) if path.is_dir() and path.name != "__pycache__"]


def sources(*folders: str) -> list[Path]:
    """Every Python file of ours under the folders."""
    files = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [path for path in files if "migrations" not in path.parts]


def production_sources() -> list[Path]:
    """Every Python file of ours that runs in production."""
    return [*sources("apps", "config"), ROOT / "manage.py"]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> Iterator[str]:
    """The dotted name of everything a file imports, lazy imports included: `from a import b` gives `a.b`."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
