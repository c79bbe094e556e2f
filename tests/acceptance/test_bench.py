"""A guard against regressions: the bench's small subset, with ratios far below the targets."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.installation import ROOT

FLOOR = 0.05  # of the bare limit measured beside it; a shared machine is noisy
COMMAND = (sys.executable, "-m", "tests.bench", "--quick", "--only", "ingest", "--only", "drain", "--only", "both")


@pytest.mark.database("postgresql")
@pytest.mark.timeout(150)
def test_no_figure_falls_far(tmp_path: Path) -> None:
    report = tmp_path / "bench.json"
    done = subprocess.run(
        [*COMMAND, "--json", str(report)], cwd=ROOT, capture_output=True, text=True, timeout=140, check=False
    )
    assert done.returncode == 0, done.stderr
    ratios = {row["figure"]: row["ratio"] for row in json.loads(report.read_text()) if row["scenario"] != "memory"}
    assert {figure: ratio for figure, ratio in ratios.items() if ratio < FLOOR} == {}
