"""Deliveries, attempts, and the engines' heartbeats."""

from datetime import UTC, datetime

from django.db import models
from django.db.models import Q

from apps.accounts.models import Project
from apps.deliveries.states import FINAL, State
from apps.destinations.models import Destination
from apps.events.models import Event, EventType
from apps.kernel import ids
from apps.kernel.clock import now

IS_FINAL = Q(state__in=sorted(FINAL))
BEGINNING = ids.first_id(datetime.fromtimestamp(0, UTC))  # before every id
IS_GIVEN_UP = Q(state__in=[State.DEAD, State.CANCELLED])
IS_SENDING = Q(state=State.SENDING)


class Delivery(models.Model):
    """One event to one destination. State and reason are two columns; waiting is a time."""

    id = models.UUIDField(primary_key=True, default=ids.new_uuid, editable=False)
    # Hot rows carry no foreign-key constraints: docs/adr/0004-no-constraints-on-hot-rows.md.
    project = models.ForeignKey(Project, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    event = models.ForeignKey(Event, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="deliveries")
    destination = models.ForeignKey(
        Destination, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="deliveries"
    )
    state = models.CharField(max_length=9, choices=[(s.value, s.value) for s in State], default=State.READY)
    reason = models.CharField(max_length=32, blank=True, help_text="the last edge, or why it took it")
    due_at = models.DateTimeField(default=now, help_text="not before this time")
    attempts = models.PositiveIntegerField(default=0, help_text="all of them, ever")
    failures = models.PositiveIntegerField(default=0, help_text="failed ones since it was made or replayed")
    rescues = models.PositiveSmallIntegerField(db_default=0, help_text="how often an engine died while it held it")
    last_status_code = models.PositiveSmallIntegerField(null=True)
    last_error = models.CharField(max_length=32, blank=True)
    claim = models.UUIDField(null=True, help_text="which claim holds it while sending")
    lease_until = models.DateTimeField(null=True, help_text="after this time the rescuer takes it back")
    created_at = models.DateTimeField(default=now, editable=False)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "deliveries"
        indexes = (
            models.Index(fields=["project", "id"], name="delivery_by_project"),
            models.Index(fields=["destination", "id"], name="delivery_by_destination"),
            models.Index(fields=["destination", "due_at"], name="delivery_lane", condition=Q(state=State.READY)),
            models.Index(fields=["lease_until"], name="delivery_leased", condition=IS_SENDING),
            # Few deliveries ever come into these two; both states may be many in all, and few in a project.
            models.Index(fields=["project", "state", "id"], name="delivery_failed_by_project", condition=IS_GIVEN_UP),
            models.Index(fields=["state", "id"], name="delivery_failed", condition=IS_GIVEN_UP),
        )
        constraints = (
            models.UniqueConstraint(fields=["event", "destination"], name="delivery_once"),
            models.CheckConstraint(condition=Q(state__in=list(State)), name="delivery_state_known"),
            models.CheckConstraint(
                condition=(IS_FINAL & Q(finished_at__isnull=False)) | (~IS_FINAL & Q(finished_at__isnull=True)),
                name="delivery_finished_when_final",
            ),
            models.CheckConstraint(
                condition=(IS_SENDING & Q(claim__isnull=False, lease_until__isnull=False))
                | (~IS_SENDING & Q(claim__isnull=True, lease_until__isnull=True)),
                name="delivery_claimed_when_sending",
            ),
        )

    def __str__(self) -> str:
        return f"{self.public_id} {self.state}"

    @property
    def public_id(self) -> str:
        return ids.encode("dlv", self.id)


class Attempt(models.Model):
    """One try of a delivery: when, how long, and what came back."""

    id = models.UUIDField(primary_key=True, default=ids.new_uuid, editable=False)
    delivery = models.ForeignKey(Delivery, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="tries")
    number = models.PositiveIntegerField()
    outcome = models.CharField(max_length=11, help_text="the edge it led to")
    status_code = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=32, blank=True)
    detail = models.CharField(max_length=255, blank=True)
    response_body = models.BinaryField(help_text="the answer's first bytes")
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()

    class Meta:
        ordering = ("number",)
        constraints = (models.UniqueConstraint(fields=["delivery", "number"], name="attempt_once"),)

    def __str__(self) -> str:
        return f"attempt {self.number}: {self.outcome}"

    @property
    def public_id(self) -> str:
        return ids.encode("att", self.id)


class FanOut(models.Model):
    """That an event, which very many want, still has deliveries to be made: the engines make them, chunk by chunk."""

    event = models.OneToOneField(
        Event, models.DO_NOTHING, db_constraint=False, primary_key=True, related_name="+", editable=False
    )
    project = models.ForeignKey(Project, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    type = models.CharField(max_length=128)
    consumer = models.CharField(max_length=128, blank=True)
    received_at = models.DateTimeField(help_text="destinations made later don't get it")
    cursor = models.UUIDField(null=True, help_text="the last destination looked at; they are taken in order of id")
    replayed = models.BooleanField(default=False, help_text="those that have a final delivery are sent it again")

    def __str__(self) -> str:
        return f"{self.type} to many"


class Pruning(models.Model):
    """How far the deletion of a project's old events has come. Whoever deletes holds this row's lock meanwhile."""

    project = models.OneToOneField(Project, models.CASCADE, primary_key=True, related_name="+", editable=False)
    cursor = models.UUIDField(default=BEGINNING, help_text="the last event looked at; they are taken in order of id")
    boundary = models.UUIDField(default=BEGINNING, help_text="events before it may go")
    planned_at = models.DateTimeField(null=True, help_text="when the boundary was last set")
    began_at = models.DateTimeField(null=True, help_text="when the cursor last began anew")
    payload_cursor = models.UUIDField(db_default=BEGINNING, help_text="the last event whose data was looked at")
    payload_boundary = models.UUIDField(db_default=BEGINNING, help_text="the data of events before it may go")
    payload_left = models.UUIDField(null=True, help_text="just before the first whose data had to stay")

    def __str__(self) -> str:
        return f"pruning of {self.project_id}"


class EngineHeartbeat(models.Model):
    """That an engine lives, and where; the row goes when it shuts down cleanly."""

    id = models.UUIDField(primary_key=True, default=ids.new_uuid, editable=False)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    sending = models.PositiveIntegerField(default=0, help_text="deliveries it holds")
    started_at = models.DateTimeField(default=now)
    seen_at = models.DateTimeField(default=now)

    class Meta:
        verbose_name = "engine"

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"


class TypePolicy(models.Model):
    """How events of one type are delivered, where their destination does not say."""

    event_type = models.OneToOneField(EventType, models.CASCADE, primary_key=True, related_name="delivery_policy")
    policy = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"policy of {self.event_type_id}"


class BreakerState(models.TextChoices):
    """Closed lets all through, open nothing, half open a probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker(models.Model):
    """A destination's circuit breaker, shared by all engines. Only those in trouble, or lately so, have one."""

    destination = models.OneToOneField(
        Destination, models.DO_NOTHING, db_constraint=False, primary_key=True, related_name="+", editable=False
    )
    state = models.CharField(max_length=9, choices=BreakerState, default=BreakerState.CLOSED)
    failures = models.PositiveIntegerField(default=0, help_text="in a row, of all engines")
    failing_since = models.DateTimeField(null=True, help_text="the first failure after the last success")
    opened = models.PositiveIntegerField(default=0, help_text="how often in a row it opened")
    retry_at = models.DateTimeField(null=True, help_text="open: when to probe. Half open: when the probe is given up")
    closed_at = models.DateTimeField(null=True, help_text="from when on the pace is raised")

    def __str__(self) -> str:
        return f"{self.state}, {self.failures} failures"


class TokenBucket(models.Model):
    """How much of a destination's rate is used up, shared by all engines (GCRA: a theoretical arrival time)."""

    destination = models.OneToOneField(
        Destination, models.DO_NOTHING, db_constraint=False, primary_key=True, related_name="+", editable=False
    )
    arrival = models.DateTimeField(help_text="when the next delivery would be due at an even pace")

    def __str__(self) -> str:
        return f"bucket of {self.destination_id}"


class Turn(models.Model):
    """A delivery's place in the line of its ordering key at an ordered destination.

    The database gives the ids out in order: whatever clocks do, who was accepted later has the higher one. A turn goes
    when a claim finds that its delivery holds nobody up any more.
    """

    id = models.BigAutoField(primary_key=True)
    destination_id = models.UUIDField()
    key = models.UUIDField(help_text="a hash of the ordering key; the event's own id where it has none")
    delivery_id = models.UUIDField(unique=True)
    begun = models.BooleanField(db_default=False, help_text="it was claimed: nobody comes before it any more")

    class Meta:
        indexes = (
            models.Index(fields=["destination_id", "key", "id"], name="turn_line"),
            models.Index(fields=["destination_id", "begun"], name="turn_begun", condition=Q(begun=True)),
        )

    def __str__(self) -> str:
        return f"turn {self.pk}"


ERASURE = "erase_consumer"  # the one kind of operation that is not of deliveries alone, and has a service of its own


class OperationState(models.TextChoices):
    """How an operation stands."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Operation(models.Model):
    """Work on many rows, done by the engines chunk by chunk."""

    id = models.UUIDField(primary_key=True, default=ids.new_uuid, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="operations")
    kind = models.CharField(max_length=32)
    parameters = models.JSONField(default=dict)
    state = models.CharField(max_length=9, choices=OperationState, default=OperationState.RUNNING)
    cursor = models.UUIDField(null=True, help_text="the last row looked at; they are taken in order of id")
    total = models.PositiveBigIntegerField(null=True, help_text="rows to look at, where that could be counted")
    processed = models.PositiveBigIntegerField(default=0, help_text="rows looked at")
    changed = models.PositiveBigIntegerField(default=0, help_text="rows that something was done to")
    error = models.CharField(max_length=255, blank=True)
    failures = models.PositiveSmallIntegerField(db_default=0, default=0, help_text="chunks that failed, in a row")
    due_at = models.DateTimeField(null=True, help_text="after a chunk that failed: not before this time")
    actor_label = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(default=now, editable=False)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (
            models.Index(fields=["project", "id"], name="operation_by_project"),
            models.Index(fields=["state", "updated_at"], name="operation_by_state"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.state}"

    @property
    def public_id(self) -> str:
        return ids.encode("opr", self.id)
