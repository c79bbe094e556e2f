"""What is due is claimed by destination: its index begins with it, and the one over all destinations goes."""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def mariadb_index(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """MariaDB has no partial indexes: Django leaves their conditions out, and the state is better in it."""
    if schema_editor.connection.vendor == "mysql":
        columns = "destination_id, state, due_at"
        schema_editor.execute(f"CREATE OR REPLACE INDEX delivery_lane ON deliveries_delivery ({columns})")


class Migration(migrations.Migration):
    atomic = False  # MariaDB has no DDL in a transaction
    dependencies = (("deliveries", "0003_fan_out"),)
    operations = (
        migrations.AddIndex(
            "delivery",
            models.Index(
                fields=["destination", "due_at"], name="delivery_lane", condition=models.Q(("state", "ready"))
            ),
        ),
        migrations.RunPython(mariadb_index, migrations.RunPython.noop),
        migrations.RemoveIndex("delivery", "delivery_due"),
    )
