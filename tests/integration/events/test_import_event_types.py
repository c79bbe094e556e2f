"""`manage.py import_event_types`: a producer's own schemas become event types; importing twice is importing once."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.models import Project
from apps.events.models import EventType, SchemaVersion
from tests.integration.cast import Caller

pytestmark = pytest.mark.django_db
GITHUB = Path(__file__).resolve().parents[2] / "data" / "github-webhooks"


def import_event_types(*arguments: str) -> str:
    out = io.StringIO()
    call_command("import_event_types", *arguments, stdout=out)
    return out.getvalue()


def outcomes(*arguments: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(import_event_types(*arguments, "--json"))["event_types"]
    return found


def definitions(**schemas: Any) -> str:
    return json.dumps({"$schema": "http://json-schema.org/draft-07/schema#", "definitions": schemas})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "types.json"
    path.write_text(definitions(paid={"type": "object", "required": ["amount"]}, made={"type": "object"}))
    return path


def test_importing_twice_is_importing_once(project: Project, file: Path) -> None:
    arguments = (str(file), "--project", project.name, "--prefix", "invoice.")
    assert outcomes(*arguments) == {"invoice.paid": "created", "invoice.made": "created"}
    assert outcomes(*arguments) == {"invoice.paid": "unchanged", "invoice.made": "unchanged"}
    file.write_text(definitions(paid={"type": "object", "required": ["total"]}, made={"type": "object"}))
    assert outcomes(*arguments) == {"invoice.paid": "changed", "invoice.made": "unchanged"}
    versions = SchemaVersion.objects.values_list("event_type__name", "version").order_by("event_type__name", "version")
    assert list(versions) == [("invoice.made", 1), ("invoice.paid", 1), ("invoice.paid", 2)]


def test_what_was_imported_is_held_against(owner: Caller, file: Path) -> None:
    import_event_types(str(file), "--project", owner.project.public_id)
    assert owner.post("events", {"type": "paid", "data": {}}).status == 422
    assert owner.post("events", {"type": "paid", "data": {"amount": 1}}).status == 202


def test_a_dry_run_only_looks(project: Project, file: Path) -> None:
    assert outcomes(str(file), "--project", project.name, "--dry-run") == {"paid": "found", "made": "found"}
    assert not EventType.objects.exists()


def test_for_people_it_says_what_and_how_many(project: Project, file: Path) -> None:
    out = import_event_types(str(file), "--project", project.name)
    assert "created    paid\n" in out
    assert out.endswith("2 created\n")


def test_standard_input(project: Project, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(file.read_text()))
    assert set(outcomes("-", "--project", project.name)) == {"paid", "made"}


@pytest.mark.parametrize("project_name", ["nobody", "prj_01h455vb4pex5vsknk084sn02q", ""])
def test_a_project_there_is_not(file: Path, project_name: str) -> None:
    with pytest.raises(CommandError, match="there is no project"):
        import_event_types(str(file), "--project", project_name)


NO_TYPES = [b"", b"\xff\xfe", b"{", b"[]", b"{}", definitions(sound={}, broken={"type": "objekt"}).encode()]


@pytest.mark.parametrize("content", NO_TYPES)
def test_what_is_no_such_file_is_one_line_and_changes_nothing(project: Project, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "types.json").write_bytes(content)
    with pytest.raises(CommandError):
        import_event_types(str(tmp_path / "types.json"), "--project", project.name)
    assert not EventType.objects.exists()


def test_a_file_there_is_not(project: Project) -> None:
    with pytest.raises(CommandError, match="No such file"):
        import_event_types("/nowhere/types.json", "--project", project.name)


@pytest.mark.skipif(not (GITHUB / "schema.json").exists(), reason="the sample of GitHub's webhooks is not here")
def test_githubs_own_schemas_take_githubs_own_examples(owner: Caller) -> None:
    """The names and schemas of a real producer, and what it really sends."""
    arguments = (str(GITHUB / "schema.json"), "--project", owner.project.name, "--prefix", "github.")
    assert set(outcomes(*arguments).values()) == {"created"}
    assert set(outcomes(*arguments).values()) == {"unchanged"}
    examples = {one["name"]: one["examples"] for one in json.loads((GITHUB / "examples.json").read_text())}
    starred = examples["star"][-1]
    assert owner.post("events", {"type": "github.star", "data": starred}).status == 202
    del starred["repository"]["owner"]
    refused = owner.post("events", {"type": "github.star", "data": starred})
    assert (refused.status, refused.body["code"]) == (422, "schema_mismatch")
    assert all(pointer.startswith("/data") for pointer, _ in refused.faults)
