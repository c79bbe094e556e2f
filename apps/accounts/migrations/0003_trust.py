"""Policies, breakers, turns, operations, quotas: what delivery that can be trusted needs of the tables."""

import django.db.models.deletion
from django.db import migrations, models

import apps.kernel.ids


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_retention"),
    ]

    operations = [
        migrations.AddField(
            model_name="project",
            name="egress",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text="Which addresses the project's deliveries may reach, beside our own rules.",
            ),
        ),
        migrations.AddField(
            model_name="project",
            name="payload_days",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Erase the data of events after so many days, and keep the rest of them. Empty: with the event.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="project",
            name="quota_backlog",
            field=models.PositiveBigIntegerField(
                blank=True, help_text="Deliveries that may wait before events are refused. Empty: no limit.", null=True
            ),
        ),
        migrations.AddField(
            model_name="project",
            name="quota_destinations",
            field=models.PositiveIntegerField(blank=True, help_text="Empty: no limit.", null=True),
        ),
        migrations.AddField(
            model_name="project",
            name="quota_events_per_month",
            field=models.PositiveBigIntegerField(blank=True, help_text="Empty: no limit.", null=True),
        ),
        migrations.AddField(
            model_name="project",
            name="quota_events_per_second",
            field=models.PositiveIntegerField(blank=True, help_text="Empty: no limit.", null=True),
        ),
        migrations.AddField(
            model_name="project",
            name="quota_payload_bytes",
            field=models.PositiveIntegerField(
                blank=True, help_text="The most one event's data may have. Empty: what a request may have.", null=True
            ),
        ),
        migrations.CreateModel(
            name="Usage",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.kernel.ids.new_uuid, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("month", models.DateField(help_text="its first day, in UTC")),
                ("events", models.PositiveBigIntegerField(default=0)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="usage", to="accounts.project"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("project", "month"), name="usage_once")],
            },
        ),
    ]
