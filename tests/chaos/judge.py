"""Compares the books. Pure: all that happened is its argument."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.chaos.records import Injection, Published, Receipt, Row, ordering_key

UNWRITTEN = 2.0  # seconds before a stroke: what ended in them may not have been written yet


@dataclass(frozen=True, slots=True)
class Books:
    """All that is known when a case has ended."""

    published: Sequence[Published]
    receipts: Sequence[Receipt]
    rows: Sequence[Row]
    injections: Sequence[Injection]
    ordered: bool = False
    most_repeats: int = 0  # that one stroke may cause


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong, by example; and figures. `duplicated` alone is no fault: it is bounded."""

    lost: list[str]
    phantom: list[str]
    unjustified: list[str]
    disordered: list[str]
    stuck: list[str]
    inconsistent: list[str]
    duplicated: int
    most_duplicated: int
    flows_again: float | None  # seconds, the worst

    @property
    def faults(self) -> dict[str, list[str]]:
        names = ("lost", "phantom", "unjustified", "disordered", "stuck", "inconsistent")
        found = {name: list(getattr(self, name)) for name in names if getattr(self, name)}
        if self.duplicated > self.most_duplicated:
            found["duplicated"] = [f"{self.duplicated}, of at most {self.most_duplicated}"]
        return found

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ok": not self.faults}


def judge(books: Books) -> Findings:
    """`lost`: accepted, and never taken by the receiver. `phantom`: arrived, and never accepted. `unjustified`: came
    again although no fault struck while it was in flight or waited to be written."""
    accepted = {one.event for one in books.published}
    took = {one.event for one in books.receipts if one.took}
    return Findings(
        lost=sorted(accepted - took),
        phantom=sorted({one.event for one in books.receipts} - accepted),
        unjustified=_unjustified(books),
        disordered=_disordered(books.receipts) if books.ordered else [],
        stuck=[f"{row.event} {row.state}" for row in books.rows if row.state != "delivered"],
        inconsistent=[*_without_rows(books), *_doubled(books.published), *_miscounted(books)],
        duplicated=len(_repeats(books.receipts)),
        most_duplicated=books.most_repeats * len(books.injections),
        flows_again=flows_again(books),
    )


def _repeats(receipts: Iterable[Receipt]) -> list[tuple[Receipt, Receipt]]:
    """Each receipt of what the receiver had taken before, behind the one before it."""
    last: dict[str, Receipt] = {}
    found = []
    for one in receipts:
        if before := last.get(one.event):
            found.append((before, one))
        if one.took:
            last[one.event] = one
    return found


def _unjustified(books: Books) -> list[str]:
    def struck(moment: float) -> bool:
        return any(one.began - UNWRITTEN <= moment <= one.ended + UNWRITTEN for one in books.injections)

    return [
        f"{again.event} at {before.at:.3f} and {again.at:.3f}"
        for before, again in _repeats(books.receipts)
        if not struck(before.at)
    ]


def _disordered(receipts: Iterable[Receipt]) -> list[str]:
    """By the first receipt of each event: its number must be above all before it with the same ordering key."""
    highest: dict[str, int] = {}
    found, seen = [], set()
    for one in receipts:
        if one.took and one.event not in seen:
            seen.add(one.event)
            line, number = ordering_key(one.key), int(one.key.partition("-")[2])
            if number < highest.get(line, -1):
                found.append(f"{one.key} after {highest[line]}")
            highest[line] = max(number, highest.get(line, -1))
    return found


def _without_rows(books: Books) -> list[str]:
    """There is one destination: each accepted event has one delivery, and there is no other."""
    wanted, found = Counter(one.event for one in books.published), Counter(row.event for row in books.rows)
    return [f"{event} has {found[event]} deliveries" for event in wanted | found if found[event] != 1] + [
        f"{event} was never accepted" for event in found.keys() - wanted.keys()
    ]


def _doubled(published: Iterable[Published]) -> list[str]:
    """Two keys must not share an event, nor one key have two."""
    events: dict[str, set[str]] = defaultdict(set)
    for one in published:
        events[one.event].add(one.key)
    return [f"{event} for {sorted(keys)}" for event, keys in events.items() if len(keys) > 1]


def _miscounted(books: Books) -> list[str]:
    """Attempts are numbered without a gap, the last one succeeded and no other, and each success was a receipt."""
    took = {one.event for one in books.receipts if one.took}
    return [f"{row.event}: {wrong}" for row in books.rows if (wrong := _wrong(row, row.event in took))]


def _wrong(row: Row, took: bool) -> str:
    if row.numbers != tuple(range(1, row.attempts + 1)):
        return f"{row.attempts} attempts, numbered {row.numbers}"
    if row.outcomes.count("succeeded") != int(row.state == "delivered"):
        return f"{row.state} with attempts {row.outcomes}"
    if row.state == "delivered" and row.outcomes[-1] != "succeeded":
        return f"delivered, and then tried: {row.outcomes}"
    if row.failures != row.outcomes.count("failed"):
        return f"{row.failures} failures, attempts {row.outcomes}"
    if row.state == "delivered" and not took:
        return "delivered, and no receiver took it"
    return ""


def flows_again(books: Books) -> float | None:
    """The longest time from the end of a fault to the first receipt of an event accepted after it."""
    accepted = {one.event: one.at for one in books.published}
    waits = []
    for injection in books.injections:
        later = (one.at for one in books.receipts if accepted.get(one.event, 0) >= injection.over)
        if (first := min(later, default=None)) is not None:
            waits.append(first - injection.over)
    return max(waits, default=None)
