"""tools/find_python.sh on machines made of fake programs: it believes what runs, not what is there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

PYTHON = os.path.realpath(getattr(sys, "_base_executable"))  # noqa: B009 (unknown to type checkers)
SHIM = "#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n"
REAL = f'#!/bin/sh\nexec {PYTHON} "$@"\n'
# What a bare Debian answers, and what is too old: the probe itself runs, on a Python that was made so.
BARE = f"#!/bin/sh\nshift 2\nexec {PYTHON} -I -c \"import sys; sys.modules['ensurepip'] = None\n$1\"\n"
OLD = f'#!/bin/sh\nshift 2\nexec {PYTHON} -I -c "import sys; sys.version_info = (3, 11, 7)\n$1"\n'


class Machine:
    """A home with programs on its PATH and, maybe, pyenv's versions."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {"HOME": str(home), "PATH": f"{home}/first:{home}/second:/usr/bin:/bin"}
        for name in ("python3", "python", "python3.12", "python3.13", "python3.14"):
            self.has(f"first/{name}", SHIM)  # whatever this machine has must not show through

    def has(self, place: str, script: str) -> str:
        path = self.home / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script)
        path.chmod(0o755)
        return str(path)

    def finds(self, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "tools/find_python.sh"],
            cwd=ROOT,
            env=self.environment | more,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    # The system's own Python would be a candidate too: only the tools the script needs are on this PATH.
    for tool in ("sh", "sort", "env"):
        made.has(f"bin/{tool}", f'#!/bin/sh\nexec /usr/bin/{tool} "$@"\n')
    made.environment["PATH"] = f"{tmp_path}/first:{tmp_path}/second:{tmp_path}/bin"
    return made


def test_a_shim_that_answers_127_hides_nothing_behind_it(machine: Machine) -> None:
    machine.has("second/python3.13", REAL)
    assert machine.finds().stdout.strip() == PYTHON


def test_an_old_python_is_passed_over(machine: Machine) -> None:
    machine.has("second/python3.13", OLD)
    machine.has("second/python3", REAL)
    assert machine.finds().stdout.strip() == PYTHON


def test_a_silent_program_is_no_python(machine: Machine) -> None:
    machine.has("second/python3.13", "#!/bin/sh\nexit 0\n")
    assert machine.finds().returncode == 1


def test_pyenv_is_searched_newest_first(machine: Machine) -> None:
    said = "#!/bin/sh\necho ready {}\n"
    for version in ("3.9.18", "3.12.1", "3.13.2", "3.13.10"):
        machine.has(f".pyenv/versions/{version}/bin/python", said.format(version))
    assert machine.finds().stdout == "3.13.10\n"


def test_pyenv_may_live_elsewhere(machine: Machine) -> None:
    machine.has("elsewhere/versions/3.13.0/bin/python", REAL)
    assert machine.finds(PYENV_ROOT=f"{machine.home}/elsewhere").stdout.strip() == PYTHON


def test_uv_is_asked_last(machine: Machine) -> None:
    machine.has("second/uv", f"#!/bin/sh\necho {machine.has('uv/python3.13', REAL)}\n")
    assert machine.finds().stdout.strip() == PYTHON


def test_without_any_it_says_in_one_line_what_to_install(machine: Machine) -> None:
    answer = machine.finds()
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr.count("\n") == 1
    assert f"{machine.home}/.pyenv/versions" in answer.stderr


def test_a_python_without_ensurepip_is_named(machine: Machine) -> None:
    machine.has("second/python3.13", BARE)
    answer = machine.finds()
    assert answer.returncode == 1
    assert f"{PYTHON} has no ensurepip" in answer.stderr


def test_the_one_named_by_hand_is_the_only_candidate(machine: Machine) -> None:
    machine.has("second/python3.13", REAL)
    old = machine.has("old/python", OLD)
    assert machine.finds(PYTHON=old).stderr == f"PYTHON={old} is not a CPython >= 3.12 that runs.\n"
    assert machine.finds(PYTHON="python3.13").returncode == 1, "first on PATH is a shim, and it was asked for"
    assert machine.finds(PYTHON=f"{machine.home}/second/python3.13").stdout.strip() == PYTHON
