"""How much may be under way at once: what is beyond is refused before it takes memory."""

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from apps.kernel.errors import TooMany, Unavailable

OVERHEAD = 16_384  # bytes that a request takes besides its body, roughly
RETRY = {"Retry-After": "1"}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one process."""

    bytes: int = 256_000_000  # bodies and what is made of them
    share: float = 0.5  # of the bytes that one project may have under way


class Admission:
    """Counts the bytes of requests under way, from the first byte of a body until it is answered."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self.bounds = bounds or Bounds()
        self.taken = 0
        self._by_project: Counter[UUID] = Counter()

    def enter(self, project_id: UUID, length: int) -> int:
        """Make room for a body of that many bytes, and say how much, for `leave`.

        Raises Unavailable (503) where there is none, and TooMany (429) where the project has its share already.
        """
        size = length + OVERHEAD
        if self.taken + size > self.bounds.bytes:
            raise Unavailable("too many events are on their way in; try again", code="overloaded", headers=RETRY)
        if self._by_project[project_id] + size > self.bounds.bytes * self.bounds.share:
            raise TooMany("too many events of this project are on their way in; try again", headers=RETRY)
        self.taken += size
        self._by_project[project_id] += size
        return size

    def leave(self, project_id: UUID, size: int) -> None:
        """The request is answered, or given up."""
        self.taken -= size
        self._by_project[project_id] -= size
        if not self._by_project[project_id]:
            del self._by_project[project_id]
