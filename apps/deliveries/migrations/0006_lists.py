"""Lists of what was given up: a project's, and everybody's, both small because few deliveries ever get there."""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState, StateApps

TABLE, STATISTICS = "deliveries_delivery", "delivery_destination_of_project"
GIVEN_UP = models.Q(state__in=["dead", "cancelled"])


class AddPartialIndex(migrations.AddIndex):
    """Nowhere else than where it is partial: MariaDB would keep all deliveries in it."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.features.supports_partial_indexes:
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.features.supports_partial_indexes:
            super().database_backwards(app_label, schema_editor, from_state, to_state)


def tell_planner(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """That a destination has one project: otherwise it takes both together for rarer than they are, and scans."""
    _execute(schema_editor, f"CREATE STATISTICS {STATISTICS} (dependencies) ON project_id, destination_id FROM {TABLE}")


def tell_no_more(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    _execute(schema_editor, f"DROP STATISTICS {STATISTICS}")


def _execute(schema_editor: BaseDatabaseSchemaEditor, statement: str) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = (("deliveries", "0005_retention"),)
    operations = (
        migrations.RemoveIndex(model_name="delivery", name="delivery_dead"),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                fields=["project", "state", "id"], name="delivery_failed_by_project", condition=GIVEN_UP
            ),
        ),
        AddPartialIndex(
            model_name="delivery",
            index=models.Index(fields=["state", "id"], name="delivery_failed", condition=GIVEN_UP),
        ),
        migrations.RunPython(tell_planner, tell_no_more),
    )
