"""Whom a notice goes to is looked up with every set that holds dead deliveries: not by reading all destinations."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("destinations", "0002_trust"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="destination",
            index=models.Index(fields=["project", "operational"], name="destination_operational"),
        ),
    ]
