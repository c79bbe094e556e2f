"""The one transaction by which candidates become events with their deliveries, of however many projects."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from django.db import transaction

from apps.deliveries.fan_out import INLINE, fan_outs_insert
from apps.deliveries.inserts import deliveries_insert, rows_for
from apps.deliveries.store import ordered_among
from apps.deliveries.wakeups import announce
from apps.events.store import KeyClaim, events_insert, keys_claim
from apps.intake.drafts import Candidate
from apps.intake.monthly import refused_by_month
from apps.kernel.contention import retried
from apps.kernel.errors import Fault, Invalid, Problem
from apps.kernel.ids import encode


@dataclass(frozen=True)
class Accepted:
    """The event is committed, by this submission or, as a duplicate, by an earlier one of the same key."""

    event_id: UUID
    duplicate: bool = False

    @cached_property
    def public_id(self) -> str:
        return encode("evt", self.event_id)


type Result = Accepted | Problem
type Approval = Callable[[Sequence[Result]], None]


def commit(candidates: Sequence[Candidate], *, approve: Approval = lambda _: None) -> list[Result]:
    """Commit them all, and answer for each in its place; done again where it lost a deadlock.

    `approve` sees the answers before anything is written, and undoes the whole by raising. Should the process die in
    here, nothing of it happened, and nobody was told that it had.
    """
    return retried(lambda: _commit_once(candidates, approve)) if candidates else []


def _commit_once(candidates: Sequence[Candidate], approve: Approval) -> list[Result]:
    with transaction.atomic():
        held = _claim_keys(candidates)
        results = _within_months(candidates, [_result(candidate, held) for candidate in candidates])
        approve(results)
        winners = [one for one, result in zip(candidates, results, strict=True) if _is_new(result)]
        events_insert([winner.event for winner in winners])
        rows = [row for winner in winners for row in rows_for(winner.event, _inline(winner.destination_ids))]
        deliveries_insert(rows, {winner.event.id: winner.event.ordering_key for winner in winners})
        left = [winner for winner in winners if winner.undecided or len(winner.destination_ids) > INLINE]
        fan_outs_insert([winner.event for winner in left])
        announce(row.destination_id for row in rows)
    return results


def _inline(destination_ids: Sequence[UUID]) -> Collection[UUID]:
    """Whose deliveries are made at once: of very many only the ordered ones', whose lines are joined in this order."""
    return destination_ids if len(destination_ids) <= INLINE else ordered_among(destination_ids)


def _within_months(candidates: Sequence[Candidate], results: list[Result]) -> list[Result]:
    """Without those beyond their project's month, and without the repeats of those."""
    if not any(one.monthly for one in candidates):
        return results
    new = [one for one, result in zip(candidates, results, strict=True) if _is_new(result)]
    refused = refused_by_month(new)
    return [refused.get(one.event_id, one) if isinstance(one, Accepted) else one for one in results]


def _is_new(result: Result) -> bool:
    return isinstance(result, Accepted) and not result.duplicate


def _claim_keys(candidates: Sequence[Candidate]) -> Mapping[UUID, KeyClaim]:
    """Within one set the first of a key claims it; the store decides between transactions."""
    firsts: dict[UUID, KeyClaim] = {}
    for candidate in candidates:
        if candidate.key:
            firsts.setdefault(candidate.key.key, candidate.key)
    return keys_claim(list(firsts.values())) if firsts else {}


def _result(candidate: Candidate, held: Mapping[UUID, KeyClaim]) -> Result:
    if candidate.key is None:
        return Accepted(candidate.event.id)
    holder = held[candidate.key.key]
    if holder.event_id == candidate.event.id:
        return Accepted(candidate.event.id)
    if holder.fingerprint == candidate.key.fingerprint:
        return Accepted(holder.event_id, duplicate=True)
    fault = Fault("/idempotency_key", "was used for another event", "idempotency_key_reused")
    return Invalid("this idempotency key was used for another event", code=fault.code, faults=[fault])
