"""What is installed is what is locked: a dependency can pull Django down a minor version, in silence."""

import re
from importlib.metadata import version

import django
import pytest
from packaging.markers import Marker
from packaging.utils import canonicalize_name

from tests.architecture.tree import ROOT

PIN = re.compile(r"^(?P<name>[\w.-]+)(\[[\w,-]+\])?==(?P<version>[^\s;]+)(?: ; (?P<marker>[^\\]+))?", re.MULTILINE)


def _pins(lock: str) -> dict[str, tuple[str, str]]:
    """Version and environment marker of each package in a lock."""
    text = (ROOT / "requirements" / lock).read_text()
    return {canonicalize_name(m["name"]): (m["version"], m["marker"] or "") for m in PIN.finditer(text)}


def test_the_locked_django_is_the_one_that_runs() -> None:
    assert django.get_version() == _pins("base.txt")["django"][0]
    assert django.VERSION >= (6, 1)


def test_the_locked_versions_are_installed() -> None:
    here = {name: pin for name, (pin, marker) in _pins("dev.txt").items() if _applies(marker)}
    assert here == {name: version(name) for name in here}


def _applies(marker: str) -> bool:
    return not marker or Marker(marker.strip()).evaluate()


def test_the_two_locks_agree() -> None:
    """`make test` and then `make run` share a venv."""
    base, dev = _pins("base.txt"), _pins("dev.txt")
    assert {name: pin for name, (pin, _) in base.items()} == {name: dev[name][0] for name in base}


@pytest.mark.parametrize("lock", ["base.txt", "dev.txt"])
def test_every_pin_has_a_hash(lock: str) -> None:
    blocks = re.split(r"\n(?=[\w])", (ROOT / "requirements" / lock).read_text())
    assert all("--hash=sha256:" in block for block in blocks)
