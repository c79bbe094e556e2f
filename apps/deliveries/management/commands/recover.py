"""`manage.py recover`: send again what was given up."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.deliveries.management.console import add_answers, add_filters, add_waiting, chosen, finish, made


class Command(BaseCommand):
    help = (
        "Send again all deliveries that died since a time, of a project or of one destination. "
        "The engines do it in the background; where none runs, --wait does it here."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_filters(parser, since="dead", required=True)
        add_answers(parser)
        add_waiting(parser)

    def handle(self, *, wait: bool, json: bool, **options: Any) -> None:
        operation = made("recover", "recover", options, chosen(options, "error", "status_code"))
        finish(self, operation, wait=wait, as_json=json)
