"""`manage.py create_project NAME`: a project and an API key that may do everything in it."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.models import Project
from apps.accounts.quotas import LARGEST_QUOTAS
from apps.accounts.selectors import project_named
from apps.accounts.services import LARGEST, api_key_create, project_change, project_create
from apps.audit.services import Actor
from apps.kernel.errors import Problem

QUOTA_HELP = {
    "quota_events_per_second": "events it may publish in a second",
    "quota_events_per_month": "events it may have accepted in a calendar month",
    "quota_destinations": "destinations it may have",
    "quota_payload_bytes": "bytes that one event's data may have",
    "quota_backlog": "deliveries that may wait before events are refused",
}


class Command(BaseCommand):
    help = (
        "Create a project and an API key with every scope. Safe to repeat: an existing project is kept, "
        "and each run makes one more key, because keys can't be shown twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the project's name, for example `billing`")
        parser.add_argument("--retention-days", type=int, help="keep events for so many days; 0: for ever")
        parser.add_argument("--retention-events", type=int, help="keep the newest so many events; 0: any number")
        parser.add_argument("--payload-days", type=int, help="erase events' data after so many days; 0: with the event")
        for name in LARGEST_QUOTAS:
            parser.add_argument(f"--{name.replace('_', '-')}", type=int, help=f"{QUOTA_HELP[name]}; 0: no limit")
        parser.add_argument("--json", action="store_true", help="print one line of JSON and nothing else")

    def handle(self, *, name: str, json: bool, **given: Any) -> None:
        actor = Actor(kind="command", label="create_project")
        settings = {name: given[name] for name in LARGEST if given[name] is not None}
        project = _ensured(name, actor, settings)
        key, text = api_key_create(project=project, name="create_project", actor=actor)
        if json:
            self.stdout.write(_json({"project": project.public_id, "api_key": text}))
            return
        self.stdout.write(f"Project  {project.public_id}  {project.name}")
        self.stdout.write(f"API key  {text}")
        self.stdout.write(f"The key is shown only now; in lists it is {key.prefix}…")


def _ensured(name: str, actor: Actor, settings: dict[str, int]) -> Project:
    """Made, or changed where settings are given."""
    try:
        project = project_named(name)
        if project is None:
            return project_create(name=name, actor=actor, **settings)
        if settings:
            project_change(project=project, actor=actor, **settings)
        return project
    except Problem as problem:
        raise CommandError(problem.detail) from None


def _json(value: dict[str, str]) -> str:
    return json.dumps(value)
