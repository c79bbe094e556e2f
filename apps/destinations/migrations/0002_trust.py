"""Policies, breakers, turns, operations, quotas: what delivery that can be trusted needs of the tables."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("destinations", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="destination",
            name="filter",
            field=models.TextField(blank=True, help_text="a CEL expression over the event; empty: all of its types"),
        ),
        migrations.AddField(
            model_name="destination",
            name="operational",
            field=models.BooleanField(
                default=False, help_text="It gets what Trunkline says of the project's destinations, and no events."
            ),
        ),
        migrations.AddField(
            model_name="destination",
            name="ordering",
            field=models.CharField(choices=[("none", "None"), ("per_key", "Per Key")], default="none", max_length=8),
        ),
        migrations.AddField(
            model_name="destination",
            name="policy",
            field=models.JSONField(blank=True, default=dict, help_text="how to deliver: see policy/shape.py"),
        ),
        migrations.AddField(
            model_name="destination",
            name="transform",
            field=models.JSONField(blank=True, default=dict, help_text="what becomes of an event's data on its way"),
        ),
        migrations.AddField(
            model_name="secret",
            name="scheme",
            field=models.CharField(
                default="v1", editable=False, help_text="v1: HMAC-SHA256, v1a: Ed25519", max_length=3
            ),
        ),
    ]
