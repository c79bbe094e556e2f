"""Public ids: TypeIDs, a prefix and a UUIDv7 in Crockford's base32 (TypeID specification 0.3)."""

from datetime import datetime
from uuid import UUID

from uuid_utils import compat

from apps.kernel.clock import clock

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
VALUES = {char: value for value, char in enumerate(ALPHABET)}
PAIRS = tuple(one + other for one in ALPHABET for other in ALPHABET)  # by 10 bits
LENGTH = 26  # 128 bits, 5 a character; the first character holds only 3
BELIEVED = 1_000  # milliseconds that an id may be wrong by: to correct less would make ids change places
MOMENT = 80  # where the milliseconds begin among the bits


class InvalidId(ValueError):
    """The text is no id of the wanted kind."""


def new_uuid() -> UUID:
    """A fresh UUIDv7 (RFC 9562): sorts by the millisecond it was made in, by our clock."""
    made = compat.uuid7()
    shift = _shift.of(made.int >> MOMENT)
    return UUID(int=made.int + (shift << MOMENT)) if shift else made


class Shift:
    """What the times in ids are moved by. The library goes by the machine's clock, and never back: set back by an hour,
    it would be an hour ahead for that long.
    """

    def __init__(self) -> None:
        self._milliseconds = 0

    def of(self, written: int) -> int:
        """Milliseconds, for an id with this time in it."""
        wanted = int(clock.seconds() * 1_000) - written
        if abs(wanted - self._milliseconds) > BELIEVED:
            self._milliseconds = wanted
        return self._milliseconds


_shift = Shift()


def first_id(moment: datetime) -> UUID:
    """The least UUIDv7 (RFC 9562) of that millisecond: with it a time becomes a range of the primary key."""
    return UUID(int=int(moment.timestamp() * 1000) << MOMENT | 0x7 << 76 | 0b10 << 62)


def encode(prefix: str, value: UUID) -> str:
    """`evt` and a UUID make `evt_01h455vb4pex5vsknk084sn02q`."""
    n, pairs = value.int, PAIRS  # without a loop, as every event and delivery goes through here several times
    return (
        f"{prefix}_{pairs[n >> 120]}{pairs[n >> 110 & 1023]}{pairs[n >> 100 & 1023]}{pairs[n >> 90 & 1023]}"
        f"{pairs[n >> 80 & 1023]}{pairs[n >> 70 & 1023]}{pairs[n >> 60 & 1023]}{pairs[n >> 50 & 1023]}"
        f"{pairs[n >> 40 & 1023]}{pairs[n >> 30 & 1023]}{pairs[n >> 20 & 1023]}{pairs[n >> 10 & 1023]}"
        f"{pairs[n & 1023]}"
    )


def decode(prefix: str, text: str) -> UUID:
    """The UUID behind a public id; raises InvalidId for any other spelling than `encode` gives."""
    found, _, suffix = text.rpartition("_")
    if found != prefix or len(suffix) != LENGTH or suffix[0] > "7":
        raise InvalidId(f"not an id of the form {prefix}_…")
    number = 0
    for char in suffix:
        if char not in VALUES:
            raise InvalidId(f"not an id of the form {prefix}_…")
        number = number << 5 | VALUES[char]
    return UUID(int=number)
