"""How many letters a project may have sent: whoever makes destinations chooses who gets them.

Of those that people cause, tests, retries and replays, so many are let go in a minute and a day. Of all, notices and
repeated attempts among them, so many addresses get one in an hour.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Q

from apps.accounts.services import project_hold
from apps.destinations.kinds import all_kinds
from apps.destinations.models import Destination, Letter, LetterHour
from apps.kernel.clock import now
from apps.kernel.errors import Conflict
from apps.kernel.ids import first_id

# Of a project, deleted destinations included. In a minute as many as it may have e-mail destinations: a replay to all
# of them must fit.
MOST_IN_A_MINUTE = 20
MOST_IN_A_DAY = 50
# By the clock: a letter to each of as many e-mail destinations as it may have, of as many addresses as each may have.
MOST_ADDRESSES_IN_AN_HOUR = 200
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def letter_kinds() -> set[str]:
    """Those that take no producer's events."""
    return {name for name, kind in all_kinds().items() if not kind.takes_events}


def written_to(destination_ids: Collection[UUID]) -> set[UUID]:
    """Those of them that get letters."""
    found = Destination.objects.filter(pk__in=destination_ids, kind__in=letter_kinds())
    return set(found.values_list("pk", flat=True))


def letters_admit(*, project_id: UUID, destination_ids: Collection[UUID]) -> None:
    """Let a letter go to each that gets any; raises Conflict where they would be too many, and then none is counted.

    To be called first in the caller's transaction: it holds the project until the end, so that of two at once one
    sees the other's.
    """
    if not (wanted := len(written_to(destination_ids))):
        return
    project_hold(project_id)
    moment, theirs = now(), Letter.objects.filter(project=project_id)
    theirs.filter(pk__lt=first_id(moment - DAY)).delete()
    if theirs.filter(pk__gte=first_id(moment - MINUTE)).count() + wanted > MOST_IN_A_MINUTE:
        raise _too_soon(MOST_IN_A_MINUTE, "minute", "wait a minute")
    if theirs.count() + wanted > MOST_IN_A_DAY:
        raise _too_soon(MOST_IN_A_DAY, "day", "wait until earlier ones are a day old")
    Letter.objects.bulk_create(Letter(project_id=project_id) for _ in range(wanted))


def _too_soon(most: int, span: str, advice: str) -> Conflict:
    detail = f"a project may have {most} letters sent by tests, retries and replays in a {span}; {advice}"
    return Conflict(detail, code="too_soon")


def letters_spend(*, project_id: UUID, addresses: int) -> bool:
    """Whether a letter to so many may go, which then is counted.

    To be called outside of any transaction: of engines at once one waits for the other's statement, and for no more.
    """
    hour = now().replace(minute=0, second=0, microsecond=0)
    if _count(project_id, hour, addresses):
        return True
    _begin(project_id, hour)
    return _count(project_id, hour, addresses)


def _count(project_id: UUID, hour: datetime, addresses: int) -> bool:
    """Whether there was room. An engine whose clock is ahead may have begun the next hour: then it counts there."""
    rows = LetterHour.objects.filter(pk=project_id, began__range=(hour, hour + HOUR))
    rows = rows.filter(addresses__lte=MOST_ADDRESSES_IN_AN_HOUR - addresses)
    return bool(rows.update(addresses=F("addresses") + addresses))


def _begin(project_id: UUID, hour: datetime) -> None:
    """Unless another engine did. An hour far ahead is a clock's that was wrong."""
    LetterHour.objects.bulk_create([LetterHour(pk=project_id, began=hour)], ignore_conflicts=True)
    is_over = Q(began__lt=hour) | Q(began__gt=hour + HOUR)
    LetterHour.objects.filter(is_over, pk=project_id).update(began=hour, addresses=0)
