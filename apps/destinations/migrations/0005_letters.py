"""Letters that people had sent are counted for each project, whatever becomes of the destination."""

import django.db.models.deletion
from django.db import migrations, models

import apps.kernel.ids


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_trust"),
        ("destinations", "0004_being_erased"),
    ]

    operations = [
        migrations.CreateModel(
            name="Letter",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.kernel.ids.new_uuid, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.project",
                    ),
                ),
            ],
            options={"indexes": [models.Index(fields=["project", "id"], name="letter_by_project")]},
        ),
    ]
