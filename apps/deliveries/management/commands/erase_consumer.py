"""`manage.py erase_consumer KEY`: erase all that is kept of a consumer, now."""

import json as jsonlib
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.selectors import project_by_name_or_id
from apps.audit.services import Actor
from apps.deliveries import erasing
from apps.deliveries.models import Operation, OperationState
from apps.destinations.models import Consumer

NEWS = 100_000  # rows between two lines of progress


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
        actor = Actor(kind="command", label="erase_consumer")
        consumer = erasing.consumer_to_erase(found, key, actor)
        operation = self._finished(erasing.consumer_erase(consumer=consumer, actor=actor), consumer, quiet=json)
        told = {"operation": operation.public_id, "consumer": consumer_id(operation), "rows": operation.changed}
        self.stdout.write(jsonlib.dumps(told) if json else f"{consumer_id(operation)} is erased, {told['rows']} rows")

    def _finished(self, operation: Operation, consumer: Consumer, *, quiet: bool) -> Operation:
        """Chunk by chunk, beside the engines, which may be at it, too."""
        while step := erasing.erase_step(operation.pk):
            if step.changed // NEWS > operation.changed // NEWS and not quiet:
                self.stdout.write(f"{step.changed} rows so far")
            operation = step
        operation.refresh_from_db()
        if operation.state != OperationState.COMPLETED:
            raise CommandError(f"the operation {operation.public_id} is {operation.state}: resume it first")
        return operation


def consumer_id(operation: Operation) -> str:
    return str(operation.parameters["consumer_id"])
