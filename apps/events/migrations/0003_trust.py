"""Policies, breakers, turns, operations, quotas: what delivery that can be trusted needs of the tables."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0002_lists"),
    ]

    operations = [
        migrations.AddField(
            model_name="event",
            name="erased_at",
            field=models.DateTimeField(editable=False, help_text="when its data went, and nothing else did", null=True),
        ),
    ]
