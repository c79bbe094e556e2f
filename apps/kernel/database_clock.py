"""Sets this process's clock by the database's: all that share a database share its time.

Due times and leases are written by one machine and compared by another. Were each to go by its own clock, one that was
an hour ahead would make deliveries wait for an hour, and take for abandoned what others are sending. SQLite has no
clock of its own: there it is the machine's.
"""

from contextlib import suppress

import structlog
from django.db import DatabaseError, InterfaceError, connection
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


def follow(via: BaseDatabaseWrapper) -> None:
    """Ask, if it is time to. Raises what asking for anything would raise on a broken connection."""
    global next_at  # noqa: PLW0603 (a process has one clock)
    if steady() < next_at or (question := ASK.get(via.vendor)) is None:
        return
    next_at = steady() + EVERY
    via.ensure_connection()  # else connecting would count as a part of the question
    with via.cursor() as cursor:
        asked = steady()
        cursor.execute(question)
        [told] = cursor.fetchone()
        answered = steady()
    wrong_by = clock.set(float(told), asked=asked, answered=answered)
    if abs(wrong_by) > WORTH_TELLING:
        log.warning("clock.set", by_seconds=round(wrong_by, 3))


def connected(connection: BaseDatabaseWrapper, **_: object) -> None:
    """For Django's `connection_created`."""
    follow(connection)


def requested(**_: object) -> None:
    """For Django's `request_started`, as a connection may serve for minutes. A broken one is the request's to find."""
    if connection.connection is not None and not connection.in_atomic_block:
        with suppress(DatabaseError, InterfaceError):
            follow(connection)
