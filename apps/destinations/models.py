"""Consumers, destinations and their signing secrets."""

from django.db import models

from apps.accounts.models import Project
from apps.kernel import ids
from apps.kernel.clock import now


class Consumer(models.Model):
    """One who receives: a customer or a team, known by the producer's own key."""

    id = models.UUIDField(primary_key=True, default=ids.new_uuid, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="consumers")
    key = models.CharField(max_length=128)
    name = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    being_erased = models.BooleanField(db_default=False, editable=False, help_text="by an operation that is open")

    class Meta:
        constraints = (models.UniqueConstraint(fields=["project", "key"], name="consumer_once"),)

    def __str__(self) -> str:
        return self.name or self.key

    @property
    def public_id(self) -> str:
        return ids.encode("con", self.id)


class Status(models.TextChoices):
    """Whether a destination gets its deliveries now."""

    ENABLED = "enabled"
    PAUSED = "paused"  # by a person; deliveries wait
    DISABLED = "disabled"  # for a reason; deliveries wait, and new events make none


class Ordering(models.TextChoices):
    """In which order a destination gets its events."""

    NONE = "none"
    PER_KEY = "per_key"  # those of one ordering key one after the other, as they were accepted


class Destination(models.Model):
    """Where events go. Deleted ones stay as rows, because deliveries of the past name them."""

    id = models.UUIDField(primary_key=True, default=ids.new_uuid, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="destinations")
    consumer = models.ForeignKey(Consumer, models.PROTECT, null=True, blank=True, related_name="destinations")
    name = models.CharField(max_length=255, blank=True)
    kind = models.CharField(max_length=32)
    sealed_config = models.TextField(editable=False, help_text="the kind's config, encrypted: it may hold tokens")
    summary = models.CharField(max_length=255, editable=False, help_text="the config in one line, without secrets")
    event_types = models.JSONField(default=list, help_text="patterns such as invoice.*")
    policy = models.JSONField(default=dict, blank=True, help_text="how to deliver: see policy/shape.py")
    filter = models.TextField(blank=True, help_text="a CEL expression over the event; empty: all of its types")
    transform = models.JSONField(default=dict, blank=True, help_text="what becomes of an event's data on its way")
    ordering = models.CharField(max_length=8, choices=Ordering, default=Ordering.NONE)
    operational = models.BooleanField(
        default=False, help_text="It gets what Trunkline says of the project's destinations, and no events."
    )
    status = models.CharField(max_length=8, choices=Status, default=Status.ENABLED, editable=False)
    status_reason = models.CharField(max_length=64, blank=True, editable=False)
    status_at = models.DateTimeField(default=now, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(default=now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        indexes = (
            models.Index(fields=["project", "id"], name="destination_by_project"),
            models.Index(fields=["project", "operational"], name="destination_operational"),
        )

    def __str__(self) -> str:
        return self.name or self.summary

    @property
    def public_id(self) -> str:
        return ids.encode("dst", self.id)


class Secret(models.Model):
    """A key that deliveries are signed with; while several live, each signs."""

    id = models.UUIDField(primary_key=True, default=ids.new_uuid, editable=False)
    destination = models.ForeignKey(Destination, models.CASCADE, related_name="secrets")
    scheme = models.CharField(max_length=3, default="v1", editable=False, help_text="v1: HMAC-SHA256, v1a: Ed25519")
    sealed = models.TextField(editable=False)
    created_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"secret of {self.created_at:%Y-%m-%d}"


class Letter(models.Model):
    """That a person had a letter sent, and when, by its id. Kept for a day, to be counted: see letters.py."""

    id = models.UUIDField(primary_key=True, default=ids.new_uuid, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")

    class Meta:
        indexes = (models.Index(fields=["project", "id"], name="letter_by_project"),)

    def __str__(self) -> str:
        return f"letter of {self.project_id}"


class LetterHour(models.Model):
    """To how many addresses letters of a project went in its latest hour that had any: see letters.py."""

    project = models.OneToOneField(Project, models.CASCADE, primary_key=True, related_name="+", editable=False)
    began = models.DateTimeField()
    addresses = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.addresses} addresses of {self.project_id}"
