"""Transactions that met another one: rolled back whole by the database, and worth doing again from the start."""

import time
from collections.abc import Callable
from functools import wraps
from random import random

from django.db import OperationalError, connection
from django.db import transaction as transactions

TRIES = 8
LONGEST_PAUSE = 0.05  # seconds, times the number of the try
# MariaDB 1213 deadlock, 1020 changed since read; PostgreSQL's texts for 40P01 and 40001.
CODES = frozenset({1213, 1020})
PHRASES = ("deadlock detected", "could not serialize access")


class Contended(OperationalError):
    """What the transaction relied on was taken back by another one."""


def retried[R](transaction: Callable[[], R]) -> R:
    """Do the transaction, again where it lost to another; raises what it raises, the last loss included."""
    for number in range(1, TRIES):
        try:
            return transaction()
        except OperationalError as error:
            if not is_contention(error):
                raise
            time.sleep(LONGEST_PAUSE * number * random())  # noqa: S311 (so that the two don't meet again)
    return transaction()


def in_transaction[**P, R](service: Callable[P, R]) -> Callable[P, R]:
    """In place of `transaction.atomic`, for what people ask for: done again where it lost to another.

    Within somebody's transaction it is a part of that, which only they can do again.
    """
    atomic = transactions.atomic(service)

    @wraps(service)
    def act(*args: P.args, **kwargs: P.kwargs) -> R:
        if connection.in_atomic_block:
            return atomic(*args, **kwargs)
        return retried(lambda: atomic(*args, **kwargs))

    return act


def is_contention(error: OperationalError) -> bool:
    """Whether the database undid the transaction only because of another one."""
    code = error.args[0] if error.args else None
    return isinstance(error, Contended) or code in CODES or any(phrase in str(error) for phrase in PHRASES)
