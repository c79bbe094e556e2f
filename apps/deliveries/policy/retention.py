"""Which of a project's events may go: those beyond its age, and those beyond its newest so many."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Retention:
    """What a project keeps; None: without an end."""

    days: int | None
    events: int | None


def retention_of(days: int | None, events: int | None, *, default_days: int) -> Retention:
    """From a project's columns, where empty is the installation's default and 0 is for ever."""
    return Retention((default_days if days is None else days) or None, events or None)


def oldest_kept(retention: Retention, now: datetime) -> datetime | None:
    """The time before which events may go for their age; None when none may."""
    return now - timedelta(days=retention.days) if retention.days else None


def oldest_with_data(payload_days: int | None, now: datetime) -> datetime | None:
    """The time before which events' data may go, and the rest of them stay; None when it goes with the event."""
    return now - timedelta(days=payload_days) if payload_days else None
