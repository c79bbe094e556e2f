"""The judge finds each fault, and nothing in sound books."""

from dataclasses import replace

import pytest

from tests.chaos.judge import Books, judge
from tests.chaos.records import Injection, Published, Receipt, Row, ordering_key

STROKE = Injection(began=100.0, over=101.0, ended=102.0)


def published(number: int, at: float = 10.0) -> Published:
    return Published(at, f"0-{number}", f"evt_{number}", 1)


def receipt(number: int, at: float = 11.0, *, took: bool = True) -> Receipt:
    return Receipt(at, f"evt_{number}", f"0-{number}", took)


def row(number: int, state: str = "delivered", *outcomes: str, failures: int = 0, attempts: int | None = None) -> Row:
    made = outcomes or ("succeeded",)
    return Row(
        event=f"evt_{number}",
        state=state,
        attempts=len(made) if attempts is None else attempts,
        failures=failures,
        outcomes=made,
        numbers=tuple(range(1, len(made) + 1)),
    )


SOUND = Books(
    published=[published(1), published(2)],
    receipts=[receipt(1), receipt(2)],
    rows=[row(1), row(2)],
    injections=[STROKE],
    most_repeats=1,
)


def test_sound_books_have_no_fault() -> None:
    assert judge(SOUND).faults == {}


WRONG = {
    "lost: it never came": (replace(SOUND, receipts=[receipt(1)]), {"lost", "inconsistent"}),
    "lost: it came and was refused": (
        replace(SOUND, receipts=[receipt(1), receipt(2, took=False)]),
        {"lost", "inconsistent"},
    ),
    "phantom": (replace(SOUND, receipts=[*SOUND.receipts, receipt(3)]), {"phantom"}),
    "two events under one key": (
        replace(SOUND, rows=[*SOUND.rows, row(3)]),
        {"inconsistent"},
    ),
    "two keys share an event": (
        replace(SOUND, published=[*SOUND.published, Published(10.0, "0-9", "evt_1", 1)]),
        {"inconsistent"},
    ),
    "again without a stroke": (replace(SOUND, receipts=[*SOUND.receipts, receipt(1, 12.0)]), {"unjustified"}),
    "again, more than one stroke may": (
        replace(SOUND, receipts=[*(receipt(n, 100.5) for n in (1, 2)), *(receipt(n, 130.0) for n in (1, 2))]),
        {"duplicated"},
    ),
    "stuck": (replace(SOUND, rows=[row(1), row(2, "sending", attempts=1)]), {"stuck", "inconsistent"}),
    "no delivery": (replace(SOUND, rows=[row(1)]), {"inconsistent"}),
    "an attempt is missing": (replace(SOUND, rows=[row(1), row(2, attempts=2)]), {"inconsistent"}),
    "settled twice": (replace(SOUND, rows=[row(1), row(2, "delivered", "succeeded", "succeeded")]), {"inconsistent"}),
    "tried after it was delivered": (
        replace(SOUND, rows=[row(1), row(2, "delivered", "succeeded", "failed", failures=1)]),
        {"inconsistent"},
    ),
    "failures miscounted": (
        replace(SOUND, rows=[row(1), row(2, "delivered", "failed", "succeeded")]),
        {"inconsistent"},
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_fault_is_found(name: str) -> None:
    books, faults = WRONG[name]
    assert judge(books).faults.keys() == faults


@pytest.mark.parametrize("first", [98.1, 100.5, 103.9])
def test_what_was_under_way_at_a_stroke_may_come_again(first: float) -> None:
    found = judge(replace(SOUND, receipts=[receipt(1, first), receipt(2), receipt(1, 140.0)]))
    assert (found.faults, found.duplicated) == ({}, 1)


@pytest.mark.parametrize("first", [97.9, 104.1])
def test_what_ended_long_before_it_or_came_long_after_it_may_not(first: float) -> None:
    assert judge(replace(SOUND, receipts=[receipt(1, first), receipt(2), receipt(1, 140.0)])).faults.keys() == {
        "unjustified"
    }


def test_what_the_receiver_refused_may_come_again() -> None:
    books = replace(
        SOUND,
        receipts=[receipt(1, took=False), receipt(1, 16.0), receipt(2)],
        rows=[row(1, "delivered", "failed", "succeeded", failures=1), row(2)],
    )
    found = judge(books)
    assert (found.faults, found.duplicated) == ({}, 0)


def test_order_is_that_of_first_receipts_within_a_key() -> None:
    """0, 4 and 8 share a key; 1 has another, and a repeat counts for nothing."""
    numbers = [0, 8, 1]
    sound = Books(
        published=[published(n) for n in numbers],
        receipts=[receipt(0), receipt(8), receipt(1), receipt(0, 100.0)],
        rows=[row(n) for n in numbers],
        injections=[STROKE],
        ordered=True,
        most_repeats=9,
    )
    assert {ordering_key(f"0-{n}") for n in (0, 4, 8)} == {"0/0"}
    assert judge(sound).disordered == []
    assert judge(replace(sound, receipts=[receipt(8), receipt(0), receipt(1)])).disordered == ["0-0 after 8"]


def test_recovery_is_the_longest_wait_of_what_was_accepted_after_a_stroke() -> None:
    books = Books(
        published=[published(1, 90.0), published(2, 101.5), published(3, 201.0)],
        receipts=[receipt(1, 101.2), receipt(2, 104.0), receipt(3, 202.0)],
        rows=[row(n) for n in (1, 2, 3)],
        injections=[STROKE, Injection(200.0, 200.5, 200.5)],
    )
    assert judge(books).flows_again == 3.0
    assert judge(replace(books, injections=[])).flows_again is None
