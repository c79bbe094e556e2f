"""To how many addresses letters of each project went in an hour, counted for all engines."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_trust"),
        ("destinations", "0005_letters"),
    ]

    operations = [
        migrations.CreateModel(
            name="LetterHour",
            fields=[
                (
                    "project",
                    models.OneToOneField(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="accounts.project",
                    ),
                ),
                ("began", models.DateTimeField()),
                ("addresses", models.PositiveIntegerField(default=0)),
            ],
        ),
    ]
