"""Holds back letters beyond what a project may have sent: whoever makes deliveries fail makes notices."""

from collections.abc import Iterable

from apps.deliveries.engine.parcel import Obstacle, Parcel
from apps.destinations.kinds import Target
from apps.destinations.letters import addresses_of, letters_spend


def hold_back(parcels: Iterable[Parcel]) -> None:
    """Each attempt is paid for before it is made. One without the means fails, and is tried again by its schedule."""
    for one in parcels:
        if not isinstance(one.target, Target) or not (addresses := addresses_of(one.kind, one.target.config)):
            continue
        if not letters_spend(project_id=one.project_id, addresses=addresses):
            one.target = Obstacle.TOO_MANY_LETTERS
