"""The audit trail's one table. Ids are plain columns, not foreign keys: the trail outlives what it names."""

from django.db import models

from apps.kernel.clock import now
from apps.kernel.ids import new_uuid


class AuditEntry(models.Model):
    """One thing somebody did; never deleted by Trunkline, and changed only where it names a consumer that is erased."""

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    project_id = models.UUIDField(null=True)
    actor_kind = models.CharField(max_length=16)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_label = models.CharField(max_length=255, blank=True)
    action = models.CharField(max_length=64)  # destination.created, api_key.revoked, …
    target = models.CharField(max_length=64, blank=True)  # a public id
    changes = models.JSONField(default=dict)
    request_id = models.CharField(max_length=128, blank=True)
    at = models.DateTimeField(default=now)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = (
            models.Index(fields=["project_id", "-at"], name="audit_by_project"),
            models.Index(fields=["target", "-at"], name="audit_by_target"),
        )

    def __str__(self) -> str:
        return f"{self.actor_label} {self.action} {self.target}"
