"""Takes due deliveries in sets and packs them."""

from datetime import timedelta

from apps.deliveries import store
from apps.deliveries.engine.parcel import Parcel, pack
from apps.kernel.clock import now


def run_once(*, limit: int, lease: timedelta) -> list[Parcel]:
    """Claim and pack up to `limit` deliveries; each must be settled before `lease` is over."""
    moment = now()
    return pack(store.claim(limit=limit, now=moment, lease_until=moment + lease))
