"""`manage.py import_event_types FILE`: register event types from JSON Schema definitions or OpenAPI webhooks."""

import json as jsonlib
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from apps.accounts.models import Project
from apps.accounts.selectors import project_by_name_or_id
from apps.audit.services import Actor
from apps.events.importing import ImportedType, read_event_types
from apps.events.services import event_type_ensure
from apps.kernel.errors import Problem


class Command(BaseCommand):
    help = (
        "Register event types from a file, JSON or YAML: a JSON Schema with definitions, or OpenAPI webhooks. "
        "Importing again adds a schema version only where something changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="the file, or - for standard input")
        parser.add_argument("--project", required=True, help="the project's name or id")
        parser.add_argument("--prefix", default="", help="put before each name, for example `github.`")
        parser.add_argument("--dry-run", action="store_true", help="only say which types the file holds")
        parser.add_argument("--json", action="store_true", help="print one line of JSON")

    def handle(self, *, file: str, project: str, prefix: str, dry_run: bool, json: bool, **_: Any) -> None:
        types = _read(file, prefix)
        outcomes = {one.name: "found" for one in types} if dry_run else _import(types, _project(project))
        if json:
            self.stdout.write(jsonlib.dumps({"event_types": outcomes}))
            return
        for name, outcome in outcomes.items():
            self.stdout.write(f"{outcome:<10} {name}")
        totals = Counter(outcomes.values())
        self.stdout.write(", ".join(f"{count} {outcome}" for outcome, count in sorted(totals.items())))


def _read(file: str, prefix: str) -> list[ImportedType]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        return read_event_types(text, prefix=prefix)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file}: {error}") from None
    except Problem as problem:
        raise CommandError(_explained(file, problem)) from None


def _project(name_or_id: str) -> Project:
    found = project_by_name_or_id(name_or_id)
    if found is None:
        raise CommandError(f"there is no project {name_or_id!r}; `manage.py create_project` makes one")
    return found


@transaction.atomic
def _import(types: list[ImportedType], project: Project) -> dict[str, str]:
    """All of the file or nothing of it."""
    actor = Actor(kind="command", label="import_event_types")
    outcomes = {}
    for one in types:
        try:
            _, outcomes[one.name] = event_type_ensure(
                project=project, name=one.name, actor=actor, description=one.description, schema=one.schema
            )
        except Problem as problem:
            raise CommandError(_explained(one.name, problem)) from None
    return outcomes


def _explained(what: str, problem: Problem) -> str:
    faults = "".join(f"\n  {fault.pointer}: {fault.detail}" for fault in problem.faults)
    return f"{what}: {problem.detail}{faults}"
