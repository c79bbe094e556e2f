"""Takes due deliveries in sets, as many as there is room for, and packs them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from apps.deliveries import store
from apps.deliveries.engine.parcel import Parcel, pack
from apps.deliveries.models import Delivery
from apps.events.store import data_sizes
from apps.kernel.clock import now


@dataclass(frozen=True, slots=True)
class Room:
    """What an engine can still hold: places, bytes, and places per destination, so that none takes them all."""

    places: int
    bytes: int
    share: int  # places that one destination may have
    taken: Mapping[UUID, int] = field(default_factory=dict)  # by destination, the places it has

    def full(self) -> list[UUID]:
        """Destinations that have their share."""
        return [destination_id for destination_id, count in self.taken.items() if count >= self.share]


def run_once(*, room: Room, lease: timedelta) -> list[Parcel]:
    """Claim and pack what fits; each must be settled before `lease` is over. What does not fit is given back."""
    moment = now()
    claimed = store.claim(limit=room.places, now=moment, lease_until=moment + lease, but_not=room.full())
    if not claimed:
        return []
    kept = list(_fitting(claimed, room, data_sizes(row.event_id for row in claimed)))
    if beyond := {row.pk for row in claimed} - {row.pk for row in kept}:
        store.give_back((row.pk, row.claim) for row in claimed if row.pk in beyond and row.claim)
    return pack(kept)


def _fitting(claimed: Iterable[Delivery], room: Room, sizes: Mapping[UUID, int]) -> Iterator[Delivery]:
    """At least one, however large, where nothing else is held."""
    taken, left = Counter(room.taken), room.bytes
    for row in claimed:
        size = sizes.get(row.event_id, 0)
        if taken[row.destination_id] < room.share and (size <= left or not taken.total()):
            taken[row.destination_id] += 1
            left -= size
            yield row
