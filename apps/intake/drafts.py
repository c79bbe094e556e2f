"""A submission held against its project: refused, or a candidate with the rows it would become. Nothing is written."""

from dataclasses import dataclass, field
from uuid import UUID

from apps.accounts.models import Project
from apps.accounts.quotas import Quotas
from apps.events.store import EventRow, KeyClaim, key_hash
from apps.intake.catalog import Catalog
from apps.intake.full_months import is_full
from apps.intake.policy.months import month_of
from apps.intake.refusals import data_too_large, month_is_full
from apps.intake.submission import Submission
from apps.intake.validation import schema_version
from apps.kernel.clock import now
from apps.kernel.errors import Invalid, Problem
from apps.kernel.ids import new_uuid


@dataclass(frozen=True, slots=True)
class Candidate:
    """A submission that passed validation."""

    event: EventRow
    destination_ids: list[UUID]
    key: KeyClaim | None
    monthly: int = 0  # events its project may have accepted this month; 0: any number
    undecided: bool = False  # whether others may want it: the engines see to their filters
    failed_filters: list[UUID] = field(default_factory=list)  # of destinations that don't get it for that


type Draft = Candidate | Problem


def draft(project: Project, quotas: Quotas, catalog: Catalog, submission: Submission | Problem) -> Draft:
    """What becomes of the submission at this version of the catalog; a Problem is returned, not raised."""
    if isinstance(submission, Problem):
        return submission
    if quotas.payload_bytes and len(submission.data) > quotas.payload_bytes:
        return data_too_large(quotas.payload_bytes, len(submission.data))
    try:
        version = schema_version(catalog, submission, registered_only=project.require_registered_types)
    except Invalid as problem:
        return problem
    event = _event(project.pk, submission, version)
    if quotas.events_per_month and (refusal := _beyond_month(event, quotas.events_per_month, submission)):
        return refusal
    found = catalog.matched(event)
    key = _key(project.pk, submission, event.id)
    return Candidate(event, found.wanting, key, quotas.events_per_month, found.undecided, found.failed)


def _beyond_month(event: EventRow, limit: int, submission: Submission) -> Problem | None:
    """Where it is known already. What has a key may be a repeat, which is answered whatever the quota."""
    full = is_full(event.project_id, month_of(event.received_at), limit)
    return month_is_full(limit, event.received_at) if full and not submission.idempotency else None


def _event(project_id: UUID, submission: Submission, version: int | None) -> EventRow:
    received_at = now()
    return EventRow(
        id=new_uuid(),
        project_id=project_id,
        type=submission.type,
        source=submission.source,
        subject=submission.subject,
        time=submission.time or received_at,
        data=submission.data,
        consumer=submission.consumer,
        ordering_key=submission.ordering_key,
        idempotency_key=submission.idempotency[-1] if submission.idempotency else "",
        schema_version=version,
        traceparent=submission.traceparent,
        extensions=submission.extensions,
        received_at=received_at,
    )


def _key(project_id: UUID, submission: Submission, event_id: UUID) -> KeyClaim | None:
    if not submission.idempotency:
        return None
    return KeyClaim(key_hash(project_id, submission.idempotency), event_id, submission.fingerprint())
