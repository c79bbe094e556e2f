"""What must be right about the database itself, told by `manage.py check --database default` and by migrate."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections


@register(Tags.database)
def collation_tells_case(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """MariaDB compares text without case by default; `Invoice.Paid` and `invoice.paid` must differ, as elsewhere."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        connection = connections[alias]
        if connection.vendor == "mysql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT @@collation_database")
                collation = cursor.fetchone()[0]
            if not collation.endswith(("_bin", "_cs")):
                found.append(_unfit(str(connection.settings_dict["NAME"]), collation))
    return found


def _unfit(name: str, collation: str) -> Error:
    return Error(
        f"the database {name} compares text without regard to case ({collation})",
        hint=f"ALTER DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin; before the first migrate",
        id="trunkline.E001",
    )
