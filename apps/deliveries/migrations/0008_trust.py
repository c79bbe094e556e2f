"""Policies, breakers, turns, operations: what delivery that can be trusted needs of the tables."""

import django.db.models.deletion
from django.db import migrations, models

import apps.kernel.clock
import apps.kernel.ids


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_trust"),
        ("deliveries", "0007_replayed_fan_out"),
        ("destinations", "0002_trust"),
        ("events", "0003_trust"),
    ]

    operations = [
        migrations.CreateModel(
            name="Breaker",
            fields=[
                (
                    "destination",
                    models.OneToOneField(
                        db_constraint=False,
                        editable=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="destinations.destination",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("closed", "Closed"), ("open", "Open"), ("half_open", "Half Open")],
                        default="closed",
                        max_length=9,
                    ),
                ),
                ("failures", models.PositiveIntegerField(default=0, help_text="in a row, of all engines")),
                (
                    "failing_since",
                    models.DateTimeField(help_text="the first failure after the last success", null=True),
                ),
                ("opened", models.PositiveIntegerField(default=0, help_text="how often in a row it opened")),
                (
                    "retry_at",
                    models.DateTimeField(
                        help_text="open: when to probe. Half open: when the probe is given up", null=True
                    ),
                ),
                ("closed_at", models.DateTimeField(help_text="from when on the pace is raised", null=True)),
            ],
        ),
        migrations.CreateModel(
            name="TokenBucket",
            fields=[
                (
                    "destination",
                    models.OneToOneField(
                        db_constraint=False,
                        editable=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="destinations.destination",
                    ),
                ),
                ("arrival", models.DateTimeField(help_text="when the next delivery would be due at an even pace")),
            ],
        ),
        migrations.CreateModel(
            name="TypePolicy",
            fields=[
                (
                    "event_type",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="delivery_policy",
                        serialize=False,
                        to="events.eventtype",
                    ),
                ),
                ("policy", models.JSONField(default=dict)),
            ],
        ),
        migrations.AddField(
            model_name="delivery",
            name="rescues",
            field=models.PositiveSmallIntegerField(db_default=0, help_text="how often an engine died while it held it"),
        ),
        migrations.CreateModel(
            name="Turn",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("destination_id", models.UUIDField()),
                ("key", models.UUIDField(help_text="a hash of the ordering key; the event's own id where it has none")),
                ("delivery_id", models.UUIDField(unique=True)),
                (
                    "begun",
                    models.BooleanField(db_default=False, help_text="it was claimed: nobody comes before it any more"),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["destination_id", "key", "id"], name="turn_line"),
                    models.Index(
                        condition=models.Q(("begun", True)), fields=["destination_id", "begun"], name="turn_begun"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Operation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.kernel.ids.new_uuid, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kind", models.CharField(max_length=32)),
                ("parameters", models.JSONField(default=dict)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("running", "Running"),
                            ("paused", "Paused"),
                            ("completed", "Completed"),
                            ("cancelled", "Cancelled"),
                            ("failed", "Failed"),
                        ],
                        default="running",
                        max_length=9,
                    ),
                ),
                (
                    "cursor",
                    models.UUIDField(help_text="the last row looked at; they are taken in order of id", null=True),
                ),
                (
                    "total",
                    models.PositiveBigIntegerField(help_text="rows to look at, where that could be counted", null=True),
                ),
                ("processed", models.PositiveBigIntegerField(default=0, help_text="rows looked at")),
                ("changed", models.PositiveBigIntegerField(default=0, help_text="rows that something was done to")),
                ("error", models.CharField(blank=True, max_length=255)),
                ("actor_label", models.CharField(blank=True, max_length=255)),
                ("created_at", models.DateTimeField(default=apps.kernel.clock.now, editable=False)),
                ("updated_at", models.DateTimeField(default=apps.kernel.clock.now, editable=False)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="operations", to="accounts.project"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["project", "id"], name="operation_by_project"),
                    models.Index(fields=["state", "updated_at"], name="operation_by_state"),
                ],
            },
        ),
    ]
