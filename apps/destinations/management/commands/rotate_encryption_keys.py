"""`manage.py rotate_encryption_keys`: seal everything under the newest key, so that older ones can go."""

import json as jsonlib
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.destinations.secrets import reseal_all


class Command(BaseCommand):
    help = (
        "Encrypt anew, under the first key of TRUNKLINE_ENCRYPTION_KEYS, every secret an older key sealed. "
        "Put the new key first and keep the old ones, restart every process, run this, "
        "then remove the old keys. Safe to repeat."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one line of JSON")

    def handle(self, *, json: bool, **_: Any) -> None:
        resealed, unreadable = reseal_all(self._tell)
        if json:
            self.stdout.write(jsonlib.dumps({"resealed": resealed, "unreadable": unreadable}))
        else:
            self.stdout.write(f"Sealed anew: {resealed}")
        if unreadable:
            raise CommandError(f"no configured key opens what these hold: {', '.join(unreadable)}")

    def _tell(self, seen: int, resealed: int) -> None:
        """To standard error, so that standard output stays the result."""
        self.stderr.write(f"{seen} looked at, {resealed} sealed anew")
