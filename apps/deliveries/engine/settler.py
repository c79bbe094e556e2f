"""Writes what became of attempts, in sets, then tells about them."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from itertools import compress
from uuid import UUID

import structlog
from django.db import DataError, IntegrityError, transaction

from apps.deliveries import store
from apps.deliveries.breakers import Judgement, breakers_judge, destination_give_up, doomed
from apps.deliveries.engine import deaths, telemetry
from apps.deliveries.engine.attempt import Attempted
from apps.deliveries.engine.known import Known
from apps.deliveries.engine.parcel import Obstacle
from apps.deliveries.notices import notify
from apps.deliveries.states import Edge
from apps.deliveries.store import breakers
from apps.destinations.models import Destination
from apps.destinations.services import destinations_hold
from apps.kernel.clock import now
from apps.kernel.contention import retried
from apps.kernel.ids import encode

TOLD = frozenset({Edge.SUCCEEDED, Edge.FAILED, *deaths.DEADLY})  # what says something about a destination

log = structlog.get_logger("trunkline.engine")


def run_once(attempts: Sequence[Attempted], known: Known) -> None:
    """Settle a set; whether or not some lost their lease, all are done with afterwards.

    Should the database refuse the set for what is in it, halving finds the row that is to blame. That one is left
    to its lease: it must not keep the others from being written. Where two engines made rows of one destination at the
    same moment, MariaDB undoes one of them, which is then done again.
    """
    try:
        written = retried(lambda: _settle(attempts, known))
    except (DataError, IntegrityError):
        if len(attempts) == 1:
            log.exception("attempt.unwritable", delivery_id=encode("dlv", attempts[0].parcel.delivery_id))
            return
        half = len(attempts) // 2
        run_once(attempts[:half], known)
        run_once(attempts[half:], known)
    else:
        telemetry.tell(attempts, written)


def _settle(attempts: Sequence[Attempted], known: Known) -> list[bool]:
    """Where all went well with destinations that are in no trouble it is one statement; else one transaction."""
    settlements = [one.settlement() for one in attempts]
    concerned = {one.parcel.destination_id for one in attempts if one.decision.edge is not Edge.SUCCEEDED}
    if known.troubles or not known.is_complete:
        concerned |= known.in_trouble({one.parcel.destination_id for one in attempts} - concerned)
    if not concerned:
        return store.settle(settlements, now=now())
    with transaction.atomic():
        held = destinations_hold(_to_disable(attempts))
        written = store.settle(settlements, now=now())
        won = [one for one in compress(attempts, written) if one.parcel.destination_id in concerned]
        judgement = _conclude(won, held)
    known.learn(judgement.after)
    telemetry.BREAKERS_OPENED.inc(judgement.opened)
    return written


def _to_disable(attempts: Sequence[Attempted]) -> set[UUID]:
    """Destinations that may be disabled for what became of these."""
    failed = {one.parcel.destination_id for one in attempts if one.decision.edge in TOLD - {Edge.SUCCEEDED}}
    return {one.parcel.destination_id for one in attempts if one.decision.disables} | doomed(failed, now=now())


def _conclude(attempts: Sequence[Attempted], held: Collection[UUID]) -> Judgement:
    """What attempts mean for their destinations, and who is to be told."""
    outcomes: dict[UUID, list[bool]] = {}
    for one in attempts:
        if one.decision.edge in TOLD and one.parcel.target is not Obstacle.TOO_MANY_LETTERS:  # our limit, not its fault
            outcomes.setdefault(one.parcel.destination_id, []).append(one.decision.edge is Edge.SUCCEEDED)
    judgement = breakers_judge(outcomes, now=now(), held=held) if outcomes else Judgement()
    if rests := {one.parcel.destination_id: one.rest for one in attempts if one.rest}:
        breakers.probe_again({pk: now() + timedelta(seconds=rest) for pk, rest in rests.items()})
    disabling = [one for one in attempts if one.decision.disables and one.parcel.destination_id in held]
    if gone := {one.parcel.destination_id: one for one in disabling}:
        for row in Destination.objects.filter(pk__in=gone).order_by("pk"):
            destination_give_up(row, reason="gone", **deaths.shown_by(gone[row.pk]))
    notify(deaths.notices_of(attempts))
    return judgement
