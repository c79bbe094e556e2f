"""Holds back letters beyond what a project may have sent: whoever makes deliveries fail makes notices."""

from collections.abc import Sequence

from apps.deliveries.engine.parcel import Obstacle, Parcel
from apps.destinations.kinds import Target
from apps.destinations.letters import letter_kinds, letters_spend


def hold_back(parcels: Sequence[Parcel]) -> None:
    """Each attempt is paid for before it is made. One without the means fails, and is tried again by its schedule."""
    kinds = letter_kinds()
    for one in parcels:
        if one.kind not in kinds or not isinstance(one.target, Target):
            continue
        addresses = len(one.target.config.get("to", ()))
        if addresses and not letters_spend(project_id=one.project_id, addresses=addresses):
            one.target = Obstacle.TOO_MANY_LETTERS
