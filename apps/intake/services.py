"""The one function behind all doors: submissions in, committed events and deliveries out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from apps.accounts.models import Project
from apps.deliveries.models import Delivery
from apps.deliveries.store import deliveries_for
from apps.events import store
from apps.events.models import Event
from apps.intake import telemetry
from apps.intake.catalog import Catalog, catalog_of
from apps.intake.submission import Submission
from apps.intake.validation import schema_version
from apps.kernel.clock import now
from apps.kernel.contention import retried
from apps.kernel.errors import Fault, Invalid, Problem
from apps.kernel.ids import encode, new_uuid

ROWS = 2_000  # a statement: well below the packet that MariaDB takes


@dataclass(frozen=True, slots=True)
class Accepted:
    """The event is committed, by this submission or, as a duplicate, by an earlier one of the same key."""

    event_id: UUID
    duplicate: bool = False

    @property
    def public_id(self) -> str:
        return encode("evt", self.event_id)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A submission that passed validation, with the rows it would become."""

    event: Event
    deliveries: tuple[Delivery, ...]
    key: store.KeyClaim | None


type Result = Accepted | Problem


def events_accept(
    *, project: Project, submissions: Sequence[Submission | Problem], atomic: bool = False, base: str = "/events"
) -> list[Result]:
    """Commit what is valid, in one transaction, and answer for each submission in its place.

    With `atomic`, one that is refused refuses all: raises Invalid with every fault. When this returns, what it says
    is accepted is committed. `base`: where in the body the events stand, for the pointers.
    """
    catalog = catalog_of(project)
    drafts = [_draft(project, catalog, submission) for submission in submissions]
    try:
        if atomic:
            _refuse_all_if_any(drafts, base)
        results = _commit(drafts, base if atomic else None)
    except Invalid as refusal:  # of the batch as a whole
        _tell(project, drafts, [refusal] * len(drafts))
        raise
    _tell(project, drafts, results)
    return results


def _draft(project: Project, catalog: Catalog, submission: Submission | Problem) -> Candidate | Problem:
    if isinstance(submission, Problem):
        return submission
    try:
        version = schema_version(catalog, submission, registered_only=project.require_registered_types)
    except Invalid as problem:
        return problem
    event = _event(project, submission, version)
    wanting = catalog.destinations_for(submission.type, submission.consumer)
    return Candidate(event, tuple(deliveries_for(event, wanting)), _key(project, submission, event.pk))


def _event(project: Project, submission: Submission, version: int | None) -> Event:
    received_at = now()
    return Event(
        id=new_uuid(),
        project=project,
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
        extensions=dict(submission.extensions),
        received_at=received_at,
    )


def _key(project: Project, submission: Submission, event_id: UUID) -> store.KeyClaim | None:
    if not submission.idempotency:
        return None
    return store.KeyClaim(store.key_hash(project.pk, submission.idempotency), event_id, submission.fingerprint())


def _commit(drafts: Sequence[Candidate | Problem], all_or_none: str | None) -> list[Result]:
    """One transaction, done again where it lost a deadlock.

    Should the process die in it, nothing of it happened, and nobody was told that it had.
    """
    candidates = [draft for draft in drafts if isinstance(draft, Candidate)]
    if not candidates:
        return [draft for draft in drafts if isinstance(draft, Problem)]
    return retried(lambda: _commit_once(drafts, candidates, all_or_none))


def _commit_once(
    drafts: Sequence[Candidate | Problem], candidates: Sequence[Candidate], all_or_none: str | None
) -> list[Result]:
    with transaction.atomic():
        held = _claim_keys(candidates)
        results = [draft if isinstance(draft, Problem) else _result(draft, held) for draft in drafts]
        if all_or_none is not None:
            _refuse_all_if_any(results, all_or_none)
        won = {result.event_id for result in results if isinstance(result, Accepted) and not result.duplicate}
        winners = [candidate for candidate in candidates if candidate.event.pk in won]
        store.events_insert([winner.event for winner in winners])
        Delivery.objects.bulk_create([row for winner in winners for row in winner.deliveries], batch_size=ROWS)
    return results


def _claim_keys(candidates: Sequence[Candidate]) -> Mapping[UUID, store.KeyClaim]:
    """Within one batch the first of a key claims it; the store decides between transactions."""
    firsts: dict[UUID, store.KeyClaim] = {}
    for candidate in candidates:
        if candidate.key:
            firsts.setdefault(candidate.key.key, candidate.key)
    return store.keys_claim(list(firsts.values())) if firsts else {}


def _result(candidate: Candidate, held: Mapping[UUID, store.KeyClaim]) -> Result:
    if candidate.key is None:
        return Accepted(candidate.event.pk)
    holder = held[candidate.key.key]
    if holder.event_id == candidate.event.pk:
        return Accepted(candidate.event.pk)
    if holder.fingerprint == candidate.key.fingerprint:
        return Accepted(holder.event_id, duplicate=True)
    fault = Fault("/idempotency_key", "was used for another event", "idempotency_key_reused")
    return Invalid("this idempotency key was used for another event", code=fault.code, faults=[fault])


def _refuse_all_if_any(results: Sequence[object], base: str) -> None:
    problems = {index: result for index, result in enumerate(results) if isinstance(result, Problem)}
    if not problems:
        return
    faults = [fault for index, problem in problems.items() for fault in faults_of(problem, f"{base}/{index}")]
    detail = f"{len(problems)} of {len(results)} events were refused, so none was accepted"
    raise Invalid(detail, code="batch_refused", faults=faults)


def faults_of(problem: Problem, place: str) -> list[Fault]:
    """A problem's faults with pointers into the batch; one for the event as a whole where it has none."""
    faults = problem.faults or (Fault("", problem.detail, problem.code),)
    return [fault if fault.pointer.startswith(place) else fault.under(place) for fault in faults]


def _tell(project: Project, drafts: Sequence[Candidate | Problem], results: Sequence[Result]) -> None:
    for draft, result in zip(drafts, results, strict=True):
        if isinstance(result, Problem):
            telemetry.tell_rejected(project, result)
        elif result.duplicate:
            telemetry.tell_duplicate(project, result.public_id)
        elif isinstance(draft, Candidate):
            telemetry.tell_accepted(draft.event, deliveries=len(draft.deliveries))
