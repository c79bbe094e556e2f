"""`manage.py export_consumer KEY`: all that is kept of a consumer, as lines of JSON."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.selectors import project_by_name_or_id
from apps.deliveries.export import export_lines
from apps.destinations.selectors import consumer_named


class Command(BaseCommand):
    help = "Write all that is kept of one consumer as lines of JSON: everything but secrets."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", help="the consumer's key or id")
        parser.add_argument("--project", required=True, help="the project's name or id")
        parser.add_argument("--output", type=Path, help="a file to write, which must not be there yet; else to stdout")

    def handle(self, *, key: str, project: str, output: Path | None, **_: Any) -> None:
        found = project_by_name_or_id(project)
        if found is None:
            raise CommandError(f"there is no project {project!r}")
        consumer = consumer_named(found, key)
        if consumer is None:
            raise CommandError(f"{found.name} has no consumer {key!r}")
        if output is None:
            for line in export_lines(consumer):
                self.stdout.write(line.decode(), ending="")
            return
        try:
            with output.open("xb") as file:
                file.writelines(export_lines(consumer))
        except OSError as error:
            raise CommandError(f"{output}: {error.strerror}") from None
