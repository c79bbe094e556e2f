"""Breakers' rows: read and written in sets, under their own locks. Only destinations in trouble have one.

A row from before its destination was last paused, resumed or disabled is void: whoever resumes it wants it tried.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db.models import F, Q, QuerySet

from apps.deliveries.models import Attempt, Breaker
from apps.deliveries.policy.breaker import Circuit, Standing
from apps.deliveries.states import Edge
from apps.destinations.policy import Breaker as Rule
from apps.destinations.policy import Policy, stored_policy
from apps.kernel.ids import first_id

COLUMNS = ("state", "failures", "failing_since", "opened", "retry_at", "closed_at")
MOST_KNOWN = 2_000  # rows an engine reads at once, each second: 10,000 take 0.4 s of it
UNHEARD = timedelta(seconds=30)  # after a row was made all engines have read it, be they slow and their clocks off


class Trouble(NamedTuple):
    """A destination's standing, with its rule."""

    standing: Standing
    rule: Rule


def rule_of(breaker: Mapping[str, Any] | None) -> Rule:
    """From what a policy has under `breaker`."""
    return msgspec.convert(breaker or {}, Rule)


def troubles() -> tuple[dict[UUID, Trouble], bool]:
    """By destination, and whether these are all: where there are very many, those that closed lately come first.

    Only these can't be asked for later: a claim that a ramp is unknown to goes by without it.
    """
    rows = _in_force().order_by(F("closed_at").desc(nulls_last=True))
    found = rows.values_list("pk", "destination__policy__breaker", *COLUMNS)[: MOST_KNOWN + 1]
    known = {pk: Trouble(_standing(*columns), rule_of(rule)) for pk, rule, *columns in found[:MOST_KNOWN]}
    return known, len(found) <= MOST_KNOWN


def _in_force() -> QuerySet[Breaker]:
    return Breaker.objects.filter(destination__deleted_at=None).exclude(failing_since__lt=F("destination__status_at"))


def open_count() -> int:
    """How many are not closed."""
    return _in_force().exclude(state=Circuit.CLOSED).count()


def in_trouble(destination_ids: Collection[UUID]) -> set[UUID]:
    """Those of them that have a row."""
    return set(Breaker.objects.filter(pk__in=destination_ids).values_list("pk", flat=True))


def to_be_probed(destination_ids: Collection[UUID], now: datetime) -> set[UUID]:
    """Those of them whose breaker is not closed and may be probed: the claim sees for itself, under the lock."""
    over = Breaker.objects.filter(Q(retry_at=None) | Q(retry_at__lte=now), pk__in=destination_ids)
    return set(over.exclude(state=Circuit.CLOSED).values_list("pk", flat=True))


def failing_since(destination_ids: Collection[UUID], *, before: datetime) -> dict[UUID, tuple[Standing, Policy]]:
    """Of them those that fail since before that time, with their policies; not locked."""
    rows = Breaker.objects.filter(pk__in=destination_ids, failing_since__lte=before)
    found = rows.values_list("pk", "destination__policy", *COLUMNS)
    return {pk: (_standing(*columns), stored_policy(policy, "disable_after")) for pk, policy, *columns in found}


def locked(destination_ids: Collection[UUID], *, skip: bool = False) -> dict[UUID, Standing]:
    """Those that have a row, locked in one order; `skip`: without those that somebody else has locked."""
    rows = Breaker.objects.select_for_update(skip_locked=skip).filter(pk__in=destination_ids).order_by("pk")
    return {pk: _standing(*columns) for pk, *columns in rows.values_list("pk", *COLUMNS)}


def locked_or_made(destination_ids: Collection[UUID]) -> dict[UUID, Standing]:
    """The same, with a row for each: two engines that see the first failure at once must count to two."""
    found = locked(destination_ids)
    if missing := sorted(set(destination_ids) - set(found)):
        Breaker.objects.bulk_create([Breaker(pk=pk) for pk in missing], ignore_conflicts=True)
        found |= locked(missing)
    return found


def succeeded_unheard(destination_id: UUID, since: datetime) -> bool:
    """Whether an engine that had not heard of this row yet wrote a success, which it then did not count.

    Of all destinations' attempts those of that half minute are looked at, by their ids.
    """
    written = Attempt.objects.filter(pk__gt=first_id(since), pk__lt=first_id(since + UNHEARD))
    return written.filter(delivery__destination=destination_id, outcome=Edge.SUCCEEDED).exists()


def write(changed: Mapping[UUID, Standing]) -> None:
    """Of locked rows: what they are now; those that have nothing to remember go."""
    gone = [pk for pk, standing in changed.items() if standing.untroubled]
    kept = [_row(pk, standing) for pk, standing in changed.items() if not standing.untroubled]
    if gone:
        Breaker.objects.filter(pk__in=gone).delete()
    if kept:
        Breaker.objects.bulk_update(kept, COLUMNS)


def probe_again(rests: Mapping[UUID, datetime]) -> None:
    """Half open ones whose probe was given back, unsent: they wait until then, and not for the probe's lease to end."""
    for pk, until in sorted(rests.items()):
        Breaker.objects.filter(pk=pk, state=Circuit.HALF_OPEN, retry_at__gt=until).update(retry_at=until)


def prolong(longer: Mapping[UUID, datetime], *, since: datetime) -> None:
    """Of half open ones whose probe would be given up at `since`: until when it may take."""
    for pk, until in longer.items():
        Breaker.objects.filter(pk=pk, state=Circuit.HALF_OPEN, retry_at=since).update(retry_at=until)


def _standing(state: str, *columns: Any) -> Standing:
    return Standing(Circuit(state), *columns)


def _row(pk: UUID, standing: Standing) -> Breaker:
    return Breaker(pk=pk, **{name: getattr(standing, name) for name in COLUMNS})


def is_void(standing: Standing, status_at: datetime) -> bool:
    return standing.failing_since is not None and standing.failing_since < status_at
