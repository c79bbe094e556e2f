"""Writes of breakers: what attempts say of their destinations, and a person who closes one by hand."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction

from apps.audit.services import Actor, audit_record
from apps.deliveries.models import Breaker
from apps.deliveries.notices import DISABLED, FAILING, RECOVERED, Notice, notify
from apps.deliveries.policy.breaker import FRESH, Circuit, Standing, begun_anew, disables, judged, reset
from apps.deliveries.store import breakers
from apps.deliveries.store.breakers import Trouble
from apps.deliveries.wakeups import announce
from apps.destinations.models import Destination, Status
from apps.destinations.policy import SOONEST_DISABLED, Policy, stored_policy
from apps.destinations.policy import Breaker as Rule
from apps.destinations.services import destination_disable
from apps.kernel.clock import isoformat
from apps.kernel.contention import in_transaction


class Judgement(NamedTuple):
    """What is known of the destinations now, and how many breakers opened or opened again."""

    after: Mapping[UUID, Trouble] = MappingProxyType({})
    opened: int = 0


def doomed(failed: Collection[UUID], *, now: datetime) -> set[UUID]:
    """Those of them that one more failure may disable."""
    found = breakers.failing_since(failed, before=now - timedelta(seconds=SOONEST_DISABLED))
    return {pk for pk, (standing, policy) in found.items() if disables(standing, now, policy.disable_after)}


@transaction.atomic(savepoint=False)
def breakers_judge(outcomes: Mapping[UUID, Sequence[bool]], *, now: datetime, held: Collection[UUID] = ()) -> Judgement:
    """Write what attempts tell: by destination, oldest first, whether each succeeded.

    In the transaction that settles the attempts. A row is made only for those that failed last. Only those of `held`,
    whose rows the transaction has locked, are given up; the others by their next failure.
    """
    before = breakers.locked(outcomes)
    if missing := {pk for pk, ended in outcomes.items() if not ended[-1]} - set(before):
        before |= breakers.locked_or_made(missing)
    found = Destination.objects.filter(pk__in=before).in_bulk() if before else {}
    after = {pk: _judged(standing, outcomes[pk], found.get(pk), now) for pk, standing in before.items()}
    for row in [row for pk, row in found.items() if pk in held and _is_given_up(row, after[pk].standing, now)]:
        after[row.pk] = after[row.pk]._replace(standing=_given_up(row, after[row.pk].standing, now))
    breakers.write({pk: trouble.standing for pk, trouble in after.items()})
    notify(list(_changes(before, after, found)))
    return Judgement(after, sum(after[pk].standing.opened > standing.opened for pk, standing in before.items()))


def _judged(standing: Standing, ended: Sequence[bool], row: Destination | None, now: datetime) -> Trouble:
    """Where it is deleted nothing is remembered."""
    if row is None or row.deleted_at:
        return Trouble(FRESH, Rule())
    rule = policy_of(row).breaker or Rule()
    known = FRESH if breakers.is_void(standing, row.status_at) else standing
    return Trouble(judged(known, ended, rule, now), rule)


def _is_given_up(row: Destination, standing: Standing, now: datetime) -> bool:
    enabled = row.status == Status.ENABLED and row.deleted_at is None
    return enabled and disables(standing, now, policy_of(row).disable_after)


def _given_up(row: Destination, standing: Standing, now: datetime) -> Standing:
    """Unless there was a success that nobody counted."""
    if standing.failing_since and breakers.succeeded_unheard(row.pk, standing.failing_since):
        return begun_anew(standing, now)
    destination_give_up(row, reason="failing", standing=standing)
    return FRESH


def destination_give_up(row: Destination, *, reason: str, standing: Standing = FRESH, **further: Any) -> None:
    """Disable it, with notice, where nobody did just now. In the caller's transaction."""
    if destination_disable(destination_id=row.pk, reason=reason):
        notify([_notice(DISABLED, row, standing, reason=reason, **further)])


def _changes(
    before: Mapping[UUID, Standing], after: Mapping[UUID, Trouble], rows: Mapping[UUID, Destination]
) -> Iterator[Notice]:
    for pk, row in rows.items():
        was, standing = before[pk].state, after[pk].standing
        if was is Circuit.CLOSED and standing.state is Circuit.OPEN:
            yield _notice(FAILING, row, standing)
        elif was is not Circuit.CLOSED and standing.closed_at is not None:
            yield _notice(RECOVERED, row, standing)


def _notice(kind: str, row: Destination, standing: Standing, **further: Any) -> Notice:
    data = {
        "failures": standing.failures,
        "failing_since": standing.failing_since and isoformat(standing.failing_since),
        "retry_at": standing.retry_at and isoformat(standing.retry_at),
        **further,
    }
    return Notice(row.project_id, kind, row.pk, {name: value for name, value in data.items() if value is not None})


def policy_of(row: Destination) -> Policy:
    return stored_policy(row.policy, "breaker", "disable_after")


def breaker_of(destination: Destination) -> Standing:
    """As it stands now; one that was never in trouble is closed."""
    row = Breaker.objects.filter(pk=destination.pk).first()
    if row is None:
        return FRESH
    standing = Standing(Circuit(row.state), *(getattr(row, name) for name in breakers.COLUMNS[1:]))
    return FRESH if breakers.is_void(standing, destination.status_at) else standing


@in_transaction
def breaker_reset(*, destination: Destination, actor: Actor) -> Standing:
    """Close it by hand: its deliveries go out as if it had never failed."""
    held = breakers.locked([destination.pk])
    breakers.write({pk: reset(standing) for pk, standing in held.items()})
    announce([destination.pk])
    audit_record(
        actor=actor,
        action="destination.breaker_reset",
        target=destination.public_id,
        project_id=destination.project_id,
    )
    return FRESH
