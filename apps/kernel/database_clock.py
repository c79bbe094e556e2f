"""Sets this process's clock by the database's: all that share a database share its time.

Due times and leases are written by one machine and compared by another. Were each to go by its own clock, one that was
an hour ahead would make deliveries wait for an hour, and take for abandoned what others are sending. SQLite has no
clock of its own: there it is the machine's.
"""

import structlog
from django.db.backends.base.base import BaseDatabaseWrapper

from apps.kernel.clock import clock, steady

EVERY = 5.0  # seconds
WORTH_TELLING = 1.0  # seconds
ASK = {
    "postgresql": "SELECT extract(epoch FROM clock_timestamp())::float8",
    "mysql": "SELECT timestampdiff(MICROSECOND, '1970-01-01', utc_timestamp(6)) / 1e6",
}
next_at = 0.0  # by the steady clock; of all threads together

log = structlog.get_logger("trunkline.clock")


def follow(connection: BaseDatabaseWrapper) -> None:
    """Ask, if it is time to. Raises what asking for anything would raise on a broken connection."""
    global next_at  # noqa: PLW0603 (a process has one clock)
    asked = steady()
    if asked < next_at or (question := ASK.get(connection.vendor)) is None:
        return
    next_at = asked + EVERY
    with connection.cursor() as cursor:
        cursor.execute(question)
        [told] = cursor.fetchone()
    wrong_by = clock.set(float(told), asked=asked, answered=steady())
    if abs(wrong_by) > WORTH_TELLING:
        log.warning("clock.set", by_seconds=round(wrong_by, 3))


def connected(connection: BaseDatabaseWrapper, **_: object) -> None:
    """For Django's `connection_created`."""
    follow(connection)
