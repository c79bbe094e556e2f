"""The quota of deliveries that wait: how many do is read about once a second, for projects that publish and have one.

What comes between two readings is not counted, so a project may go beyond its quota by what it publishes meanwhile.
A reading stops at the quota, and the next one comes the later the longer it took.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from uuid import UUID

from apps.deliveries.selectors import waiting_up_to

EVERY = 1.0  # seconds between two readings
SHARE = 0.05  # of the time may be spent reading a project's backlog
ACTIVE = 10.0  # seconds after its last event that a project's backlog is read on

type Count = Callable[[UUID, int], int]


@dataclass(slots=True)
class Reading:
    """Of one project; times by the monotonic clock."""

    limit: int
    used_at: float
    waiting: int = 0
    due_at: float = 0.0  # when to read it


class Backlogs:
    """Of one process; safe in threads."""

    def __init__(self, *, count: Count = waiting_up_to, clock: Callable[[], float] = monotonic) -> None:
        self._count, self._clock, self._lock = count, clock, Lock()
        self._readings: dict[UUID, Reading] = {}

    def waits(self, project_id: UUID, limit: int) -> float:
        """How long, by the last reading, until it makes sense to try again; 0: there is room, or none was read yet."""
        moment, reading = self._clock(), self._readings.get(project_id)
        if reading is None or reading.limit != limit:
            reading = self._readings[project_id] = Reading(limit, moment)
        reading.used_at = moment
        return max(EVERY, reading.due_at - moment) if reading.waiting >= limit else 0.0

    def any_due(self) -> bool:
        """Whether `refresh` has something to do."""
        moment = self._clock()
        return any(reading.due_at <= moment for reading in list(self._readings.values()))

    def refresh(self) -> None:
        """Read those that are due, and let go of those out of use. Blocks."""
        for project_id, reading in list(self._readings.items()):
            moment = self._clock()
            if moment - reading.used_at > ACTIVE:
                self._readings.pop(project_id, None)
            elif reading.due_at <= moment:
                self._read(project_id, reading, moment)

    def refresh_one(self, project_id: UUID) -> None:
        """The same for one, where nobody else does it; who comes while it is being read goes by the one before."""
        reading, moment = self._readings.get(project_id), self._clock()
        if reading and reading.due_at <= moment and self._lock.acquire(blocking=False):
            try:
                self._read(project_id, reading, moment)
            finally:
                self._lock.release()

    def _read(self, project_id: UUID, reading: Reading, moment: float) -> None:
        reading.due_at = moment + EVERY  # also where reading fails
        reading.waiting = self._count(project_id, reading.limit)
        reading.due_at = self._clock() + max(EVERY, (self._clock() - moment) / SHARE)


backlogs = Backlogs()
