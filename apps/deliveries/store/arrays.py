"""PostgreSQL's binary arrays, made in one go: psycopg's own way takes each element by itself, in Python.

The format is `array_recv`'s: dimensions, whether there are NULLs, the elements' type, length and lower bound, then each
element with its length before it, -1 for NULL.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Any
from uuid import UUID

from psycopg.adapt import AdaptersMap, Buffer, Dumper
from psycopg.pq import Format

NULL = b"\xff\xff\xff\xff"
HEAD, INT, LONG = Struct(">iiiii"), Struct(">ii"), Struct(">iq")
EPOCH, MICROSECOND = datetime(2000, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
UUID_LENGTH = b"\x00\x00\x00\x10"


class Array(bytes):
    """A whole array, as the database takes it."""


class Uuids(Array):
    """uuid[]"""


class Ints(Array):
    """int4[]"""


class Texts(Array):
    """text[]"""


class Blobs(Array):
    """bytea[]"""


class Moments(Array):
    """timestamptz[]"""


OIDS = {Uuids: (2950, 2951), Ints: (23, 1007), Texts: (25, 1009), Blobs: (17, 1001), Moments: (1184, 1185)}


def _whole[A: Array](kind: type[A], elements: Sequence[bytes]) -> A:
    head = HEAD.pack(1, NULL in elements, OIDS[kind][0], len(elements), 1)
    return kind(head + b"".join(elements))


def uuids(values: Iterable[bytes | None]) -> Uuids:
    return _whole(Uuids, [NULL if value is None else UUID_LENGTH + value for value in values])


def ids(values: Iterable[UUID]) -> Uuids:
    return uuids([value.bytes for value in values])


def ints(values: Iterable[int | None]) -> Ints:
    return _whole(Ints, [NULL if value is None else INT.pack(4, value) for value in values])


def texts(values: Iterable[str | None]) -> Texts:
    return _whole(Texts, [NULL if value is None else _sized(value.encode()) for value in values])


def blobs(values: Iterable[bytes | None]) -> Blobs:
    return _whole(Blobs, [NULL if value is None else _sized(value) for value in values])


def moments(values: Iterable[datetime | None]) -> Moments:
    return _whole(
        Moments, [NULL if value is None else LONG.pack(8, (value - EPOCH) // MICROSECOND) for value in values]
    )


def _sized(value: bytes) -> bytes:
    return len(value).to_bytes(4) + value


class _Whole(Dumper):
    """Hands an array over as it is."""

    format = Format.BINARY

    def dump(self, obj: Any) -> Buffer:
        return bytes(obj)


def _dumper(oid: int) -> type[Dumper]:
    return type("Whole", (_Whole,), {"oid": oid})


DUMPERS = {kind: _dumper(array_oid) for kind, (_, array_oid) in OIDS.items()}


def register(adapters: AdaptersMap) -> None:
    """Let a cursor take these arrays."""
    for kind, dumper in DUMPERS.items():
        adapters.register_dumper(kind, dumper)
