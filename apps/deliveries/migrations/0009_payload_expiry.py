"""How far the erasure of old payloads has come, beside how far the deletion of old events has."""

import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0008_trust"),
    ]

    operations = [
        migrations.AddField(
            model_name="pruning",
            name="payload_boundary",
            field=models.UUIDField(
                db_default=uuid.UUID("00000000-0000-7000-8000-000000000000"),
                help_text="the data of events before it may go",
            ),
        ),
        migrations.AddField(
            model_name="pruning",
            name="payload_cursor",
            field=models.UUIDField(
                db_default=uuid.UUID("00000000-0000-7000-8000-000000000000"),
                help_text="the last event whose data was looked at",
            ),
        ),
        migrations.AddField(
            model_name="pruning",
            name="payload_left",
            field=models.UUIDField(help_text="just before the first whose data had to stay", null=True),
        ),
    ]
