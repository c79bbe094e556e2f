"""API keys at two levels: in this process's memory, and beneath it in Redis where one is configured.

No message says that a key must be forgotten, so none can be lost: memory is believed for a moment only, and what is
in use is read again in the background, all of it with one query. A key that is revoked, a scope taken away or a
project's new setting counts everywhere within MEMORY + SHARED + the time of a query: less than a second. Where
`last_change` is shared it counts at once: who makes a destination and then publishes must find the event delivered.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from time import monotonic

from apps.accounts import keys
from apps.accounts.changes import last_change
from apps.accounts.key_records import KeyRecord, principal_from, records_by_prefix
from apps.accounts.principal import Principal
from apps.accounts.selectors import note_uses
from apps.kernel.clock import now
from apps.kernel.shared_cache import SharedCache

REFRESH = 0.25  # seconds between two readings of what is in use
MEMORY = 0.55  # seconds this process believes what it read
SHARED = 0.3  # seconds all processes believe what one of them read
IDLE = 60.0  # seconds a key is kept that nobody uses

type Read = Callable[[Iterable[str]], Mapping[str, KeyRecord]]


@dataclass(slots=True)
class Entry:
    """A key that was found to be good, and when it was read and used; times by the monotonic clock."""

    record: KeyRecord
    principal: Principal
    read_at: float
    used_at: float


class Credentials:
    """The API keys this process has seen of late. `known` is for the hot path; the others block."""

    def __init__(
        self,
        *,
        read: Read = records_by_prefix,
        shared: SharedCache[KeyRecord] | None = None,
        clock: Callable[[], float] = monotonic,
        changed: Callable[[], float] = last_change,
    ) -> None:
        self._rows, self._clock, self._changed = read, clock, changed
        self._shared = shared or SharedCache("key", KeyRecord)
        self._entries: dict[bytes, Entry] = {}  # by a hash: the keys themselves are not kept

    def known(self, text: str) -> Principal | None:
        """The principal of a key that was read within MEMORY; None says nothing about the key: look it up."""
        entry, moment = self._entries.get(_hash(text)), self._clock()
        if entry is None or entry.read_at <= max(moment - MEMORY, self._changed()) or not entry.record.live(now()):
            return None
        entry.used_at = moment
        return entry.principal

    def look_up(self, text: str) -> Principal | None:
        """The principal of a key, or None when it is unknown, expired or revoked. Blocks."""
        prefix, moment = keys.prefix_of(text), self._clock()
        record = self._records([prefix]).get(prefix) if prefix else None
        if record is None or not keys.matches(text, record.digest) or not record.live(now()):
            self._entries.pop(_hash(text), None)
            return None
        note_uses([record], digest=keys.digest(text))
        entry = self._entries[_hash(text)] = Entry(record, principal_from(record), moment, moment)
        return entry.principal

    def refresh(self) -> None:
        """Read again what is in use, and let go of the rest. Blocks."""
        moment = self._clock()
        entries = dict(self._entries)
        in_use = {key: entry for key, entry in entries.items() if moment - entry.used_at < IDLE}
        records = self._records({entry.record.prefix for entry in in_use.values()})
        for key, entry in entries.items():
            if not _renewed(entry, records, moment):
                self._entries.pop(key, None)
        note_uses([entry.record for entry in in_use.values() if entry.used_at > entry.read_at])

    def _records(self, prefixes: Iterable[str]) -> Mapping[str, KeyRecord]:
        if self._clock() - self._changed() < 2 * SHARED:  # what is shared may be from before
            return self._rows(prefixes)
        return self._shared.get_many(prefixes, SHARED, self._rows)


def _renewed(entry: Entry, records: Mapping[str, KeyRecord], moment: float) -> bool:
    """Whether the entry is still good; by another digest under its prefix, it is another key."""
    record = records.get(entry.record.prefix)
    if record is None or record.digest != entry.record.digest or not record.live(now()):
        return False
    if record != entry.record:
        entry.record, entry.principal = record, principal_from(record)
    entry.read_at = max(entry.read_at, moment)
    return True


def _hash(text: str) -> bytes:
    return sha256(text.encode(errors="surrogateescape")).digest()
