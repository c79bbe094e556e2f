"""Which failures of a transaction are worth another try, and how often."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.db import IntegrityError, OperationalError

from apps.kernel import contention
from apps.kernel.contention import TRIES, Contended, in_transaction, is_contention, retried

LOST = [
    OperationalError(1213, "Deadlock found when trying to get lock; try restarting transaction"),
    OperationalError(1020, "Record has changed since last read in table"),
    OperationalError("deadlock detected\nDETAIL:  Process 1 waits for ShareLock"),
    OperationalError("could not serialize access due to concurrent update"),
    Contended("a key was taken back"),
]
BROKEN = [
    OperationalError(),
    OperationalError(2006, "Server has gone away"),
    OperationalError("the connection is closed"),
    OperationalError("database is locked"),
]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contention, "LONGEST_PAUSE", 0.0)


def losing(times: int, error: Exception) -> tuple[Callable[[], str], list[int]]:
    """A transaction that loses so many times, and the count of its tries."""
    tries: list[int] = []

    def transaction() -> str:
        tries.append(1)
        if len(tries) <= times:
            raise error
        return "done"

    return transaction, tries


@pytest.mark.parametrize("error", LOST, ids=repr)
def test_a_lost_one_is_done_again(error: OperationalError) -> None:
    assert is_contention(error)
    transaction, tries = losing(TRIES - 1, error)
    assert retried(transaction) == "done"
    assert len(tries) == TRIES


def test_not_for_ever() -> None:
    transaction, tries = losing(TRIES, LOST[0])
    with pytest.raises(OperationalError, match="1213"):
        retried(transaction)
    assert len(tries) == TRIES


@pytest.mark.parametrize("error", [*BROKEN, IntegrityError("deadlock detected"), ValueError()], ids=repr)
def test_anything_else_is_told_at_once(error: Exception) -> None:
    transaction, tries = losing(1, error)
    with pytest.raises(type(error)):
        retried(transaction)
    assert len(tries) == 1


def test_what_succeeds_is_done_once() -> None:
    transaction, tries = losing(0, LOST[0])
    assert retried(transaction) == "done"
    assert len(tries) == 1


def test_a_service_within_anothers_transaction_is_not_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """There it is a part: only the whole can be done again."""
    transaction, tries = losing(1, LOST[0])
    monkeypatch.setattr(contention, "transactions", SimpleNamespace(atomic=lambda service: service))
    monkeypatch.setattr(contention, "connection", SimpleNamespace(in_atomic_block=True))
    with pytest.raises(OperationalError):
        in_transaction(transaction)()
    assert len(tries) == 1
    monkeypatch.setattr(contention, "connection", SimpleNamespace(in_atomic_block=False))
    again, tries = losing(1, LOST[0])
    assert (in_transaction(again)(), len(tries)) == ("done", 2)
