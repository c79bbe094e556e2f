"""MariaDB has no partial indexes: Django leaves their conditions out there. The claim and the rescue get better ones."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

# By name, the columns that serve without a condition, and those Django chose.
INDEXES = {
    "delivery_due": ("state, due_at", "due_at"),
    "delivery_leased": ("state, lease_until", "lease_until"),
    "delivery_dead": ("project_id, state, id", "project_id, id"),
}


def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    _index(schema_editor, {name: better for name, (better, _) in INDEXES.items()})


def drop(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    _index(schema_editor, {name: plain for name, (_, plain) in INDEXES.items()})


def _index(schema_editor: BaseDatabaseSchemaEditor, columns: dict[str, str]) -> None:
    if schema_editor.connection.vendor == "mysql":
        for name, listed in columns.items():
            schema_editor.execute(f"CREATE OR REPLACE INDEX {name} ON deliveries_delivery ({listed})")


class Migration(migrations.Migration):
    dependencies = (("deliveries", "0001_initial"),)
    operations = (migrations.RunPython(create, drop, atomic=False),)  # MariaDB has no DDL in a transaction
