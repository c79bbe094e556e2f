"""`manage.py operations`: make, list, watch, hold and call off the work that engines do in the background."""

import json as jsonlib
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.deliveries.api_operations import OperationSerializer
from apps.deliveries.management.console import (
    actor_of,
    add_answers,
    add_filters,
    add_waiting,
    chosen,
    finish,
    line,
    made,
    project_meant,
)
from apps.deliveries.models import Operation, OperationState
from apps.deliveries.operations import services
from apps.deliveries.operations.kinds import KINDS, ON_REQUEST
from apps.kernel.errors import Problem
from apps.kernel.ids import InvalidId, decode

MOST_LISTED = 100
MOVES: dict[str, Callable[..., Operation]] = {
    "pause": services.operation_pause,
    "resume": services.operation_resume,
    "cancel": services.operation_cancel,
}
HELP = {
    "show": "how one stands",
    "watch": "its progress until it is done",
    "pause": "let it rest after the chunk that is being done",
    "resume": "let it go on where it was paused",
    "cancel": "let it go no further; what is done stays done",
}


class Command(BaseCommand):
    help = "List, watch, pause, resume and cancel operations: bulk work that engines do, erasures included."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        listing = actions.add_parser("list", help=f"the newest {MOST_LISTED}")
        listing.add_argument("--project", help="the name or id of one; otherwise all")
        listing.add_argument("--kind", choices=sorted(KINDS))
        listing.add_argument("--state", choices=OperationState.values)
        listing.add_argument("--json", action="store_true", help="print one line of JSON")
        for action, does in HELP.items():
            one = actions.add_parser(action, help=does)
            one.add_argument("operation", help="its id, opr_…")
            one.add_argument("--json", action="store_true", help="print one line of JSON")
        create = actions.add_parser("create", help="; ".join(f"{kind} {KINDS[kind].does}" for kind in ON_REQUEST))
        create.add_argument("kind", choices=sorted(ON_REQUEST))
        add_filters(create, since="dead, made or received", required=False)
        add_answers(create)
        add_waiting(create)

    def handle(self, *, action: str, json: bool, **options: Any) -> None:
        if action == "list":
            self._list(options, as_json=json)
        elif action == "create":
            operation = made("operations", options["kind"], options, chosen(options, "error", "status_code"))
            finish(self, operation, wait=options["wait"], as_json=json)
        else:
            operation = _moved(_operation(options["operation"]), action)
            finish(self, operation, wait=action == "watch", as_json=json)

    def _list(self, options: Any, *, as_json: bool) -> None:
        rows = Operation.objects.order_by("-pk")
        rows = rows.filter(project=project_meant(options)) if options["project"] else rows
        for column in ("kind", "state"):
            rows = rows.filter(**{column: options[column]}) if options[column] else rows
        found = list(rows[:MOST_LISTED])
        if as_json:
            self.stdout.write(jsonlib.dumps({"operations": OperationSerializer(found, many=True).data}))
            return
        for operation in found:
            self.stdout.write(line(operation))


def _operation(text: str) -> Operation:
    try:
        found = Operation.objects.filter(pk=decode("opr", text)).first()
    except InvalidId as error:
        raise CommandError(str(error)) from None
    if found is None:
        raise CommandError(f"there is no operation {text}")
    return found


def _moved(operation: Operation, action: str) -> Operation:
    if action not in MOVES:
        return operation
    try:
        return MOVES[action](operation=operation, actor=actor_of("operations"))
    except Problem as problem:
        raise CommandError(problem.detail) from None
