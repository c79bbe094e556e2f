"""Takes due deliveries in sets, as many as there is room for, and packs them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from apps.deliveries import store
from apps.deliveries.engine.parcel import Parcel, pack
from apps.deliveries.store import Claimed
from apps.kernel.clock import now


@dataclass(frozen=True, slots=True)
class Catch:
    """What a claim brought."""

    parcels: list[Parcel]
    claimed: Counter[UUID]  # by destination
    kept: Counter[UUID]  # the same without those given back: so many parcels there are


def run_once(*, asked: Mapping[UUID, int], limit: int, bytes_left: int, alone: bool, lease: timedelta) -> Catch:
    """Claim and pack what is asked for, at most `limit`; each must be settled before `lease` is over.

    What has no room is given back. `alone`: nothing else is held, so that one goes however large it is.
    """
    moment = now()
    rows = store.claim(asked, limit=limit, now=moment, lease_until=moment + lease, bytes_left=bytes_left)
    kept = list(_fitting(rows, bytes_left, alone=alone))
    if len(kept) < len(rows):
        ids = {row.id for row in kept}
        store.give_back((row.id, row.claim) for row in rows if row.id not in ids)
    claimed = _by_destination(rows)
    return Catch(pack(kept), claimed, _by_destination(kept) if len(kept) < len(rows) else claimed)


def _by_destination(rows: Iterable[Claimed]) -> Counter[UUID]:
    return Counter([row.destination_id for row in rows])


def _fitting(rows: Sequence[Claimed], bytes_left: int, *, alone: bool) -> Iterator[Claimed]:
    """The store brings the data of one in any case."""
    for row in rows:
        bytes_left -= len(row.data or b"")
        left_behind = row.data is None and row.event_type is not None
        if not left_behind and (bytes_left >= 0 or alone):
            yield row
        alone = False
