"""What may take long is told beforehand from what never does: so the intake's loop evaluates only the latter."""

import json
import random
import time
from datetime import UTC, datetime

import pytest

from apps.destinations.routing import filters
from apps.destinations.routing.costs import UNBOUNDED, outline
from apps.destinations.routing.filters import Filter, activation_of
from apps.destinations.routing.matching import INLINE, InlineJudge
from apps.destinations.routing.subject import Subject

WHEN = datetime(2026, 3, 4, tzinfo=UTC)
SMALL = {"total": 5, "s": "abc", "items": [{"price": n, "tags": ["x"]} for n in range(20)]}


def subject(data: object) -> Subject:
    return Subject("invoice.paid", WHEN, json.dumps(data).encode(), subject=random_text(255))


HERE = [
    "event.data.total == 5",
    "event.type in ['a', 'b'] || event.data.s != event.type",
    "event.data.s.matches('^[a-c]+$')",
    "event.data.items.exists(i, i.price > 3)",
    "event.data.s.contains('b') && event.time.getHours() < 8",
    "has(event.data.s) && '+' == event.data.s",
]


MAIL = {"email": "jane@example.com", "s": "a" * 960}  # 1 kB
ORDINARY: list[tuple[object, str]] = [
    *((SMALL, text) for text in HERE),
    (MAIL, "event.data.email.matches('^[^@]+@example[.]com$')"),
    (MAIL, "event.data.email.matches('^jane') || event.data.email.matches('[.]com$')"),
]


@pytest.mark.parametrize(("data", "text"), ORDINARY)
def test_usual_filters_over_usual_events_are_evaluated_at_once(data: object, text: str) -> None:
    one = Filter(text)
    one.compile()
    assert InlineJudge(subject(data)).verdict(one).holds is not None


ELSEWHERE = [
    "event.data.s + event.data.s == 'abcabc'",  # doubled in each round, a text fills the memory
    "event.data.items.map(i, i.price).size() > 3",
    "event.data.items.filter(i, i.price > 3).size() > 3",
    "event.data.s.matches(event.type)",  # an expression from outside
    "event.data.s.matches('(a{50}){50}')",
    "event.data.s.matches('a{2}')",
    "event.data.s.matches('a{2,}') || event.data.s.matches('a')",
    f"event.data.s.matches('{'a' * 101}')",
    "matches(event.data.s, 'a')",
    "event.time.getHours('Europe/Berlin') > 1",  # reads a file
    "google.protobuf.ListValue{values: [event.data.s]} == []",  # each value is made anew
    "google.protobuf.Value {string_value: event.data.s} == 'a'",
]


@pytest.mark.parametrize("text", ELSEWHERE)
def test_what_can_not_be_bounded_is_left_to_a_worker(text: str) -> None:
    assert outline(text).most(subject(SMALL)) == UNBOUNDED


def test_much_data_and_many_filters_are_left_too() -> None:
    large, cheap = subject({"l": list(range(100_000)), "x": 1}), Filter("event.data.x == 1")
    cheap.compile()
    assert InlineJudge(large).verdict(cheap).holds is None
    judge, found = InlineJudge(subject(SMALL)), []
    for number in range(300):
        one = Filter(f"event.data.total == {number}")
        one.compile()
        found.append(judge.verdict(one).holds)
    assert found[0] is False
    assert found[-1] is None


def test_one_that_is_not_compiled_yet_is_left_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "outline", lambda _: pytest.fail("outlined where others wait"))
    assert InlineJudge(subject(SMALL)).verdict(Filter("true")).holds is None


def test_compiling_one_outlines_it(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Filter("true")
    one.compile()
    assert one.is_compiled
    monkeypatch.setattr(filters, "outline", lambda _: pytest.fail("outlined where others wait"))
    assert InlineJudge(subject(SMALL)).verdict(one).holds is True


def test_a_compiled_one_takes_no_longer_the_first_time() -> None:
    event = subject({"a": 1})
    fresh = [Filter(f"event.data.x{n} == 1" + " || event.data.abc == 'a'" * 78) for n in range(5)]
    for one in fresh:
        one.compile()
    bound = fresh[0].outline.most(event) + fresh[0].outline.opening(event)
    assert min(taken(event, one) for one in fresh) < bound  # 0.4 ms, were it still to be laid out


def random_text(size: int) -> str:
    return "".join(random.Random(size).choices("ab", k=size))


def many_in(around: str) -> str:
    return around.format(many=",".join(["event.data.l"] * (140 // around.count("{many}"))))


def any_of(expression: str, times: int) -> str:
    return " || ".join([f"event.data.s.matches('{expression}')"] * times)


TEXT = "a" * 12_000
ONES = [1] * 30_000
DICT = {str(n): n for n in range(2_000)}
LISTED: list[object] = [{"l": ONES[:1_000]}, {"l": {str(n): n for n in range(300)}}, {"l": [1], "t": TEXT}]
AROUND = [
    "([{many}]) == ([{many}])",
    "dyn([{many}]) == dyn([{many}])",
    "(([{many}])) != [{many}]",
    "{{'a': [{many}]}} == ({{'a': [{many}]}})",
    "(event.type == 'a' ? [] : [{many}]) == (event.type == 'a' ? [] : [{many}])",
    "7 in ([{many}, {many}])",
    "[[{many}]].all(x, [[{many}]].all(y, x == y))",
    "[[{many}]].all(x, event.data.l.all(y, x == x))",
    "[{many}] == event.data.l || ([{many}][0]) == [{many}][1]",
]
STATES = "a" + "." * 95 + "c"  # an automaton of 2^95 states
THREADS = "(a?)...?.........??......?..?((|.)....?.k)"  # the slowest that a search for slow ones came to
CLASSES = "(?i)" + "[é-￡]" * 19  # slow to compile
HOSTILE: list[tuple[object, str]] = [
    ({"l": ONES}, " || ".join(["7 in event.data.l"] * 70)),
    ({"l": ONES}, " && ".join(["event.data.l in [event.data.l]"] * 50)),
    ({"l": ONES}, f"7 in [{','.join(['event.data.l'] * 120)}]"),
    ({"l": ONES}, " && ".join(["[event.data.l] == [event.data.l]"] * 50)),
    ({"l": ONES}, " && ".join(["[event.data.l, 1][0] == [event.data.l][0]"] * 40)),
    ({"s": TEXT * 30}, " || ".join(["event.data[event.data.s] == 1"] * 60)),
    ({"s": TEXT * 30}, " && ".join(["{event.data.s: 1}['a'] == 1"] * 60)),
    (SMALL, " || ".join(['event.data.total < "y"'] * 70)),
    (SMALL, " || ".join(["event.data.missing == 1"] * 70)),
    ({"a": TEXT * 8}, "event.data.total == 1"),
    (DICT, "event.data.total == 1"),
    (SMALL, "event.data.items.all(a, event.data.items.all(b, event.data.items.all(c, event.data == event.data)))"),
    ({"h": TEXT, "n": TEXT[:6_000] + "b"}, " || ".join(["event.data.h.contains(event.data.n)"] * 50)),
    ({"h": TEXT}, " && ".join(["event.data.h.matches('(a|aa)*(a|aa|aaa)*$')"] * 40)),
    ({"l": list(range(3_000))}, "event.data.l.all(x, event.data.l.all(y, y >= 0))"),
    ({"l": list(range(3_000)), "s": TEXT}, "event.data.l.all(x, size(event.data.s) + x > 1 || x in event.data.l)"),
    ({"l": list(range(900)), "s": TEXT}, "event.data.l.all(x, size(event.data.s) > 1 || x in event.data.l)"),
    ({"s": TEXT}, "event.data.s < event.data.s || " * 50 + "event.data.s == event.data.s"),
    ({str(n): n for n in range(2_000)}, "event.data == event.data && " * 60 + "true"),
    *((data, many_in(around)) for data in LISTED for around in AROUND),
    *(({"s": random_text(size)}, any_of(STATES, 7)) for size in (100, 500, 1_500, 15_000)),
    *(({"s": random_text(size)}, any_of(THREADS, times)) for size, times in ((700, 1), (1_000, 7), (5_000, 1))),
    ({"s": random_text(48_000)}, any_of(STATES, 1)),
    ({"s": "a"}, any_of(CLASSES, 1)),
    ({"s": "a"}, any_of(CLASSES, 14)),
    ({"s": "a"}, any_of("(?i)" + "k" * 96, 14)),
    ({"s": "a"}, any_of("$a", 50)),
    ({}, f"event.subject.matches('{STATES}')"),
    ({"s": "a"}, f"'{random_text(1_800)}'.matches('{STATES}')"),
    ({"s": random_text(300), "l": [1] * 30}, f"event.data.l.all(x, event.data.s.matches('{STATES}') || x > 0)"),
]


SLACK = 100_000  # nanoseconds by which this machine may be slower at times: a twentieth of INLINE


def taken(event: Subject, one: Filter) -> int:
    """Nanoseconds."""
    event.__dict__.pop("variables", None)
    began = time.thread_time_ns()
    one.evaluate(activation_of(event))
    return time.thread_time_ns() - began


@pytest.mark.parametrize(("data", "text"), HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_evaluated_at_once_takes_no_longer_than_it_says(data: object, text: str) -> None:
    """The bound is sound where it counts: none of the hostile ones is let in for less than it takes."""
    event, one = subject(data), Filter(text)
    one.compile()
    assert not one.evaluate(activation_of(event)).error.startswith("is longer"), "then it is not evaluated at all"
    bound = one.outline.most(event) + one.outline.opening(event)
    if bound > 50 * INLINE:
        return  # a worker's, far from here
    assert min(taken(event, one) for _ in range(5)) < bound + SLACK
    assert not one.outline.is_plain or one.outline.most(event) < INLINE / 10
