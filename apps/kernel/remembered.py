"""A cache bounded by what its entries weigh, as well as by their number: one entry may weigh a thousand others."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock


class WeighedCache[Key: Hashable, Value]:
    """The longest unused go first. Safe to share between threads; two that miss at once both do the work."""

    def __init__(self, *, most: int, weight: int) -> None:
        self._most, self._most_weight = most, weight
        self._entries: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._lock = Lock()
        self.weight = 0  # of all entries

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Value | None:
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key][0]

    def put(self, key: Key, value: Value, weight: int) -> None:
        """Remember it; what is heavier than the whole cache may be isn't."""
        with self._lock:
            if key in self._entries:
                self.weight -= self._entries.pop(key)[1]
            self._entries[key] = (value, weight)
            self.weight += weight
            while self.weight > self._most_weight or len(self._entries) > self._most:
                self.weight -= self._entries.popitem(last=False)[1][1]
