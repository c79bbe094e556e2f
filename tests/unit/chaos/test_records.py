"""The books as files: what was written is read back, and a line under way isn't."""

from pathlib import Path

from tests.chaos import records
from tests.chaos.records import Published, Receipt

PUBLISHED = Published(1.5, "3-7", "evt_1", 2)
RECEIPTS = [Receipt(2.5, "evt_1", "3-7", True), Receipt(2.75, "evt_2", "?", False)]


def test_lines_are_read_back(tmp_path: Path) -> None:
    book = tmp_path / "book"
    book.write_text(PUBLISHED.line())
    assert list(records.published(book)) == [PUBLISHED]
    book.write_text("".join(one.line() for one in RECEIPTS))
    assert list(records.receipts(book)) == RECEIPTS


def test_a_line_under_way_does_not_count(tmp_path: Path) -> None:
    book = tmp_path / "book"
    assert records.count(book) == 0
    book.write_text(PUBLISHED.line() + PUBLISHED.line()[:10])
    assert records.count(book) == 1
    assert list(records.published(book)) == [PUBLISHED]
