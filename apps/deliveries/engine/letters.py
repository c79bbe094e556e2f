"""Holds back letters beyond what a project may have sent: whoever makes deliveries fail makes notices."""

from collections.abc import Sequence

from apps.deliveries.engine.parcel import Obstacle, Parcel
from apps.destinations.kinds import Target, all_kinds
from apps.destinations.letters import addresses_of, letters_spend


def hold_back(parcels: Sequence[Parcel]) -> None:
    """Each attempt is paid for before it is made. One without the means fails, and is tried again by its schedule."""
    without_events = {name for name, kind in all_kinds().items() if not kind.takes_events}
    for one in parcels:
        if one.kind not in without_events or not isinstance(one.target, Target):
            continue
        addresses = addresses_of(one.kind, one.target.config)
        if addresses and not letters_spend(project_id=one.project_id, addresses=addresses):
            one.target = Obstacle.TOO_MANY_LETTERS
