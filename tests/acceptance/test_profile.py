"""`make profile` leaves a flame graph and a list."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("path", ["drain"])
def test_a_short_look_on_sqlite(path: str, tmp_path: Path) -> None:
    command = ["-m", "tests.bench.profile", "--sqlite", "--only", path, "--seconds", "1", "--into", str(tmp_path)]
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    if "ermission denied" in done.stderr or "SYS_PTRACE" in done.stderr:
        pytest.skip("this machine lets no process look at another")
    assert done.returncode == 0, done.stderr
    assert "<svg" in (tmp_path / f"{path}.svg").read_text()
    assert "apps/" in (tmp_path / f"{path}.txt").read_text()
