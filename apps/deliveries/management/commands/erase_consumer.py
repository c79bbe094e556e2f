"""`manage.py erase_consumer KEY`: erase all that is kept of a consumer, now."""

import json as jsonlib
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.models import Project
from apps.accounts.selectors import project_by_name_or_id
from apps.deliveries.management.console import actor_of, refuse_unfinished, watch
from apps.deliveries.models import Operation, OperationState
from apps.deliveries.operations.erasure_request import consumer_erase, consumer_to_erase
from apps.kernel.errors import Problem


class Command(BaseCommand):
    help = (
        "Erase one consumer everywhere: its events, deliveries, attempts, destinations and itself. For good. "
        "Safe to break off and to repeat: it goes on where it was, and so do the engines."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", help="the consumer's key or id")
        parser.add_argument("--project", required=True, help="the project's name or id")
        parser.add_argument("--json", action="store_true", help="print one line of JSON")

    def handle(self, *, key: str, project: str, json: bool, **_: Any) -> None:
        found = project_by_name_or_id(project)
        if found is None:
            raise CommandError(f"there is no project {project!r}")
        operation = erasure_of(found, key)
        if operation.state == OperationState.PAUSED:
            raise CommandError(f"the operation {operation.public_id} is paused: resume it first")
        watch(operation, None if json else self.stdout, self.stderr, helps=True)
        refuse_unfinished(operation)
        told = {"operation": operation.public_id, "consumer": consumer_id(operation), "rows": operation.changed}
        self.stdout.write(jsonlib.dumps(told) if json else f"{consumer_id(operation)} is erased, {told['rows']} rows")


def erasure_of(project: Project, key: str) -> Operation:
    """Raises CommandError with what is wrong."""
    actor = actor_of("erase_consumer")
    try:
        return consumer_erase(consumer=consumer_to_erase(project, key, actor), actor=actor)
    except Problem as problem:
        raise CommandError(problem.detail) from None


def consumer_id(operation: Operation) -> str:
    return str(operation.parameters["consumer_id"])
