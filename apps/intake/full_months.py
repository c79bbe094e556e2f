"""Which projects are known to have used up their month: they are refused without asking the database once more.

Usage only grows, so what is known holds until the month ends or the quota is another.
"""

from datetime import date
from uuid import UUID

MOST = 10_000  # projects remembered

_full: dict[UUID, tuple[date, int]] = {}


def note_full(project_id: UUID, month: date, limit: int) -> None:
    if len(_full) >= MOST:
        _full.clear()
    _full[project_id] = (month, limit)


def is_full(project_id: UUID, month: date, limit: int) -> bool:
    """False says nothing: the commit finds out."""
    return _full.get(project_id) == (month, limit)
