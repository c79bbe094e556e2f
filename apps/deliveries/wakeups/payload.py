"""What a wake-up says: which destinations have something due, as ASCII text."""

from base64 import b64decode, b64encode
from collections.abc import Collection
from uuid import UUID

ALL = "*"
ID_BYTES = 16
MOST = 360  # destinations named one by one: PostgreSQL takes payloads below 8,000 bytes

type Destinations = frozenset[UUID] | None  # None: any of them


def pack(destination_ids: Collection[UUID]) -> str:
    """Empty where there are none."""
    if len(destination_ids) > MOST:
        return ALL
    return b64encode(b"".join(one.bytes for one in destination_ids)).decode()


def unpack(text: str) -> Destinations:
    """What `pack` made; whatever else it may be means any of them, for it may come from a newer version."""
    if text == ALL:
        return None
    try:
        raw = b64decode(text, validate=True)
        return frozenset(UUID(bytes=raw[at : at + ID_BYTES]) for at in range(0, len(raw), ID_BYTES))
    except ValueError:
        return None
