"""MariaDB has no partial indexes, and Django leaves them out there: the claim and the rescue get whole ones."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

INDEXES = {
    "delivery_due": "state, due_at",
    "delivery_leased": "state, lease_until",
    "delivery_dead": "project_id, state, id",
}


def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "mysql":
        for name, columns in INDEXES.items():
            schema_editor.execute(f"CREATE INDEX {name} ON deliveries_delivery ({columns})")


def drop(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "mysql":
        for name in INDEXES:
            schema_editor.execute(f"DROP INDEX {name} ON deliveries_delivery")


class Migration(migrations.Migration):
    dependencies = (("deliveries", "0001_initial"),)
    operations = (migrations.RunPython(create, drop),)
