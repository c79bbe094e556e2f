"""How often an operation's chunk failed, and when it is tried again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0009_payload_expiry"),
    ]

    operations = [
        migrations.AddField(
            model_name="operation",
            name="due_at",
            field=models.DateTimeField(help_text="after a chunk that failed: not before this time", null=True),
        ),
        migrations.AddField(
            model_name="operation",
            name="failures",
            field=models.PositiveSmallIntegerField(db_default=0, default=0, help_text="chunks that failed, in a row"),
        ),
    ]
