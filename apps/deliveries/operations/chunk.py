"""What one chunk of an operation did."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Chunk:
    """One transaction's work."""

    looked_at: int
    changed: int
    cursor: UUID | None  # the last row that is done with
    ended: bool = False  # it was the last chunk

    @property
    def is_idle(self) -> bool:
        """There is more, and it has to wait for other work."""
        return not (self.looked_at or self.changed or self.ended)
