"""Users, projects, memberships, API keys."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import Group, PermissionsMixin
from django.db import models
from django.utils.functional import cached_property

from apps.accounts.scopes import SCOPES
from apps.kernel import ids
from apps.kernel.clock import now


class UserManager(BaseUserManager["User"]):
    """Makes users; an e-mail address is compared in lower case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person, who logs in by e-mail address."""

    id = models.UUIDField(primary_key=True, default=ids.new_uuid, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=150, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False, help_text="May log in to the admin.")
    created_at = models.DateTimeField(default=now, editable=False)

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    def __str__(self) -> str:
        return self.email

    @property
    def public_id(self) -> str:
        return ids.encode("usr", self.id)


class Project(models.Model):
    """The unit of isolation: every row belongs to exactly one."""

    id = models.UUIDField(primary_key=True, default=ids.new_uuid, editable=False)
    name = models.CharField(max_length=100, unique=True)
    require_registered_types = models.BooleanField(
        default=False, help_text="Refuse events whose type is not registered."
    )
    retention_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Keep events for so many days, 0 for ever. Empty: what the installation says.",
    )
    retention_events = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Keep no more than the newest so many events. Empty or 0: any number."
    )
    payload_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Erase the data of events after so many days, and keep the rest of them. Empty: with the event.",
    )
    quota_events_per_second = models.PositiveIntegerField(null=True, blank=True, help_text="Empty: no limit.")
    quota_events_per_month = models.PositiveBigIntegerField(null=True, blank=True, help_text="Empty: no limit.")
    quota_destinations = models.PositiveIntegerField(null=True, blank=True, help_text="Empty: no limit.")
    quota_payload_bytes = models.PositiveIntegerField(
        null=True, blank=True, help_text="The most one event's data may have. Empty: what a request may have."
    )
    quota_backlog = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Deliveries that may wait before events are refused. Empty: no limit."
    )
    egress = models.JSONField(
        default=dict, blank=True, help_text="Which addresses the project's deliveries may reach, beside our own rules."
    )
    # Counts up with every change that the intake caches: a cached catalog is good while the numbers agree.
    catalog_version = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)
    members = models.ManyToManyField(User, through="Membership", related_name="projects")

    class Meta:
        permissions = tuple(SCOPES.items())

    def __str__(self) -> str:
        return self.name

    @cached_property
    def public_id(self) -> str:
        return ids.encode("prj", self.id)


class Usage(models.Model):
    """How many events a project has had accepted in a month; kept where its quota counts them."""

    id = models.UUIDField(primary_key=True, default=ids.new_uuid, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="usage")
    month = models.DateField(help_text="its first day, in UTC")
    events = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["project", "month"], name="usage_once"),)

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}: {self.events}"


class Membership(models.Model):
    """A person's role in a project. The role is a Django group, and its permissions say what it may do."""

    id = models.UUIDField(primary_key=True, default=ids.new_uuid, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.ForeignKey(Group, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["project", "user"], name="membership_once"),)

    def __str__(self) -> str:
        return f"{self.user} · {self.role}"

    @property
    def public_id(self) -> str:
        return ids.encode("mem", self.id)


class ApiKey(models.Model):
    """A program's credentials for one project. Only a keyed hash of the key is kept."""

    id = models.UUIDField(primary_key=True, default=ids.new_uuid, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(default=list)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        verbose_name = "API key"
        indexes = (models.Index(fields=["project", "-created_at"], name="api_key_by_project"),)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def public_id(self) -> str:
        return ids.encode("key", self.id)
