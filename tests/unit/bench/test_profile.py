"""What `make profile` makes of the stacks it recorded."""

from tests.bench.profile import as_text, top

RAW = """\
process 7:"serve";main (manage.py:3);read (a.py:10) 3
process 7:"serve";main (manage.py:3);read (a.py:12) 4
process 7:"serve";main (manage.py:3) 2
process 8:"engine";idle 1
"""


def test_functions_by_the_time_they_took_themselves() -> None:
    assert top(RAW) == [("read (a.py)", 0.7), ("main (manage.py)", 0.2), ("idle", 0.1)]
    assert top(RAW, most=1) == [("read (a.py)", 0.7)]


def test_nothing_was_recorded() -> None:
    assert top("") == []


def test_as_text() -> None:
    assert as_text([("read (a.py)", 0.7)]) == " 70.0%  read (a.py)\n"
