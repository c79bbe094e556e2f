"""The image and its composition, as far as they can be checked without a container engine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from config import environment
from tests.architecture.tree import ROOT

BIN = Path(sys.executable).parent
SCHEMA = "vendor.compose-spec"
LINTS = {
    "Dockerfile": [str(BIN / "hadolint"), "Dockerfile"],
    "compose.yaml": [str(BIN / "check-jsonschema"), "--builtin-schema", SCHEMA, "compose.yaml"],
}


@pytest.mark.parametrize("name", LINTS)
def test_lints(name: str) -> None:
    done = subprocess.run(LINTS[name], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _compose() -> dict[str, dict[str, dict[str, object]]]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())  # type: ignore[no-any-return]


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    subprocess.run(["sh", "deploy/compose/make_secrets.sh", str(folder)], cwd=ROOT, check=True)
    return folder


def test_production_starts_with_the_secrets_that_compose_mounts(secrets: Path) -> None:
    web = _compose()["services"]["web"]["environment"]
    assert isinstance(web, dict)
    values = {name: value for name, value in web.items() if not value.startswith("${")}
    values = {name: value.replace("/run/secrets", str(secrets)) for name, value in values.items()}
    found = environment.read({**values, "TRUNKLINE_ENV": "production", "ALLOWED_HOSTS": "trunkline.test"})
    assert found.production


def test_making_secrets_again_keeps_them(secrets: Path) -> None:
    before = {path.name: path.read_bytes() for path in secrets.iterdir()}
    subprocess.run(["sh", "deploy/compose/make_secrets.sh", str(secrets)], cwd=ROOT, check=True)
    assert {path.name: path.read_bytes() for path in secrets.iterdir()} == before
    assert before.keys() == _compose()["secrets"].keys()


def test_other_people_cannot_reach_the_secrets_but_the_container_can_read_them(secrets: Path) -> None:
    assert os.stat(secrets).st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in secrets.iterdir()} == {0o644}


def test_databases_publish_no_ports() -> None:
    services = _compose()["services"]
    assert [name for name, service in services.items() if "ports" in service] == ["web"]
