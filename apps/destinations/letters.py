"""How many letters people may have sent: whoever makes destinations chooses who gets them.

Tests, retries and replays count. What the engines send of themselves does not: no notice is lost.
"""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from apps.accounts.services import project_hold
from apps.destinations.kinds import all_kinds
from apps.destinations.models import Destination, Letter
from apps.kernel.clock import now
from apps.kernel.errors import Conflict
from apps.kernel.ids import first_id

# Of a project, deleted destinations included. In a minute as many as it may have e-mail destinations: a replay to all
# of them must fit.
MOST_IN_A_MINUTE = 20
MOST_IN_A_DAY = 50
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def written_to(destination_ids: Collection[UUID]) -> set[UUID]:
    """Those of them that get letters: the kinds that take no producer's events."""
    kinds = [name for name, kind in all_kinds().items() if not kind.takes_events]
    found = Destination.objects.filter(pk__in=destination_ids, kind__in=kinds)
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
