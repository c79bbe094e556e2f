"""Events, their types and schemas, and the idempotency keys they came under."""

from django.db import models
from django.db.models import Q

from apps.accounts.models import Project
from apps.kernel import ids
from apps.kernel.clock import now

OPERATIONAL = "trunkline"  # the source of what Trunkline itself says; the intake takes it from nobody


class EventType(models.Model):
    """A dotted name that events carry, registered so that it has a description and schemas."""

    id = models.UUIDField(primary_key=True, default=ids.new_uuid, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="event_types")
    name = models.CharField(max_length=128)
    description = models.TextField(blank=True)
    deprecated = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["project", "name"], name="event_type_once"),)

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return ids.encode("ety", self.id)


class SchemaVersion(models.Model):
    """One JSON Schema of an event type. Versions are added, never changed."""

    id = models.UUIDField(primary_key=True, default=ids.new_uuid, editable=False)
    event_type = models.ForeignKey(EventType, models.CASCADE, related_name="versions")
    version = models.PositiveIntegerField()
    schema = models.TextField(help_text="JSON Schema, as JSON text")
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ("-version",)
        constraints = (models.UniqueConstraint(fields=["event_type", "version"], name="schema_version_once"),)

    def __str__(self) -> str:
        return f"version {self.version}"


class Event(models.Model):
    """Something that happened. Written once, by the intake, and never changed."""

    id = models.UUIDField(primary_key=True, default=ids.new_uuid, editable=False)
    # Hot rows carry no foreign-key constraints: docs/adr/0004-no-constraints-on-hot-rows.md.
    project = models.ForeignKey(Project, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    type = models.CharField(max_length=128)
    source = models.CharField(max_length=255, blank=True)
    subject = models.CharField(max_length=255, blank=True)
    time = models.DateTimeField(help_text="when it happened, as the producer says")
    data = models.BinaryField(help_text="the producer's JSON, to the byte")
    consumer = models.CharField(max_length=128, blank=True, help_text="the producer's key of the one it is for")
    ordering_key = models.CharField(max_length=255, blank=True)
    idempotency_key = models.CharField(max_length=255, blank=True)
    schema_version = models.PositiveIntegerField(null=True, help_text="the version it was validated against")
    traceparent = models.CharField(max_length=64, blank=True)
    extensions = models.JSONField(default=dict, help_text="further CloudEvents attributes")
    received_at = models.DateTimeField(default=now, editable=False)
    erased_at = models.DateTimeField(null=True, editable=False, help_text="when its data went, and nothing else did")

    class Meta:
        indexes = (
            models.Index(fields=["project", "id"], name="event_by_project"),
            models.Index(fields=["project", "type", "id"], name="event_by_type"),
            models.Index(fields=["project", "consumer", "id"], name="event_by_consumer", condition=~Q(consumer="")),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.public_id}"

    @property
    def public_id(self) -> str:
        return ids.encode("evt", self.id)

    @property
    def is_operational(self) -> bool:
        """Whether Trunkline itself says it, to destinations that ask for nothing else."""
        return self.source == OPERATIONAL


class IdempotencyKey(models.Model):
    """That a key was used, and by which event. Its own table, so that it can expire on its own.

    The primary key is a hash of project and key: one narrow unique index, the same on every database,
    whatever the collation makes of upper and lower case.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    event_id = models.UUIDField()
    fingerprint = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        indexes = (models.Index(fields=["created_at"], name="idempotency_key_by_age"),)

    def __str__(self) -> str:
        return str(self.id)
