"""tools/install.sh brings a venv to its lock, once; the locks here are empty, so nothing is fetched."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

pytestmark = pytest.mark.timeout(300)  # making a venv is the slowest thing these tests do, more so beside others


class House:
    """A project with nothing in it but the script and two locks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def lock(self, name: str, text: str) -> None:
        path = self.folder / "requirements" / f"{name}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def install(self, name: str) -> str:
        """What the script printed: nothing where there was nothing to do."""
        done = subprocess.run(
            ["sh", self.folder / "tools" / "install.sh", name],
            env={"PATH": "/usr/bin:/bin", "PYTHON": sys.executable},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    @property
    def python(self) -> Path:
        return self.folder / ".venv" / "bin" / "python"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a venv that was there before and whose Python had gone: the first run has to make it anew."""
    house = House(tmp_path_factory.mktemp("built"))
    shutil.copytree(ROOT / "tools", house.folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    house.lock("base", "# nothing\n")
    house.lock("dev", "# nothing\n")
    house.python.parent.mkdir(parents=True)
    house.python.symlink_to("/nowhere/python3")
    assert house.install("base").startswith("Installing requirements/base.txt")
    return house.folder


@pytest.fixture
def house(built: Path, tmp_path: Path) -> House:
    """A copy: making a venv takes seconds."""
    return House(shutil.copytree(built, tmp_path / "house", symlinks=True))


def test_it_installs_when_the_lock_has_changed_and_only_then(house: House) -> None:
    assert house.install("base") == ""
    house.lock("base", "# something else\n")
    assert house.install("base")
    assert house.install("base") == ""


def test_the_development_lock_counts_as_the_base_lock_and_not_the_other_way(house: House) -> None:
    assert house.install("dev")
    assert house.install("base") == ""
    house.lock("base", "# older\n")
    assert house.install("base")
    assert house.install("dev"), "what base took back is to be put right"


def test_a_venv_whose_python_is_gone_is_made_again(house: House) -> None:
    assert subprocess.run([house.python, "-c", "import pip"], check=False).returncode == 0


def test_an_interrupted_install_is_taken_up_again(house: House) -> None:
    house.lock("base", "no-such-package==1 --hash=sha256:0\n")
    with pytest.raises(subprocess.CalledProcessError):
        house.install("base")
    house.lock("base", "# nothing\n")
    assert house.install("base")
