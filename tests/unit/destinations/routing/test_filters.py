"""Filters: what is refused when they are saved, and what they say of events. They never raise, whatever the data."""

import json
from datetime import UTC, datetime
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.destinations.routing.filters import LONGEST, Filter, activation_of, check_filter, filter_of
from apps.destinations.routing.matching import InlineJudge
from apps.destinations.routing.subject import Subject
from apps.kernel.errors import Invalid

WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
DATA = {"total": 12.5, "count": 3, "to": {"country": "DE"}, "tags": ["vip", "new"], "items": [{"price": 5}], "no": None}


def subject(data: object = DATA, **more: str) -> Subject:
    return Subject("invoice.paid", WHEN, json.dumps(data).encode(), **more)


def holds(text: str, event: Subject) -> tuple[bool | None, str]:
    return Filter(check_filter(text)).evaluate(activation_of(event))


TABLE = [
    ("event.type == 'invoice.paid'", True),
    ("event.type.startsWith('user.')", False),
    ("event.source == 'billing' && event.subject == 's' && event.ordering_key == 'k'", True),
    ("event.consumer == 'acme'", True),
    ("event.time > timestamp('2026-01-01T00:00:00Z') && event.time.getHours() == 5", True),
    ("event.data.total > 10.0", True),
    ("event.data.total > 10", True),  # numbers compare across kinds
    ("event.data.count == 3.0", True),
    ("event.data['to'].country in ['DE', 'FR']", True),
    ("event.data.tags.exists(t, t.matches('^v[a-z]+$'))", True),
    ("event.data.items.all(i, i.price > 5)", False),
    ("event.data.items.map(i, i.price) == [5]", True),
    ("has(event.data.missing)", False),
    ("has(event.data.missing) && event.data.missing > 5", False),
    ("event.data.no == null", True),
    ("event.data.missing == 1 || true", True),  # an alternative that holds is enough
    ("true // for everybody", True),
]


@pytest.mark.parametrize(("text", "expected"), TABLE)
def test_table(text: str, expected: bool) -> None:
    event = subject(source="billing", subject="s", consumer="acme", ordering_key="k")
    assert holds(text, event) == (expected, "")


FAILING = [
    ("event.data.missing == 1", 'Key not found in map : "missing"'),
    ("event.data.tags > 1", "No matching overloads"),
    ("event.data.count / 0 == 1", "divide by zero"),
    ("event.data.tags[7] == 'x'", "Index error"),
    ("event.data.tags.all(t, t.matches('('))", "invalid regular expression"),
]


@pytest.mark.parametrize(("text", "said"), FAILING)
def test_what_can_not_be_evaluated_does_not_match_and_says_why(text: str, said: str) -> None:
    verdict, error = holds(text, subject())
    assert verdict is False
    assert said in error


REFUSED = [
    ("event.type ==", "line 1, column 14: Syntax error: mismatched input"),
    ("event.type == 'a' &&\n  event.typo == 1", "line 2, column 8: undeclared reference to 'event.typo'"),
    ("event.type == 1", "line 1, column 12: found no matching overload"),
    ("event.data.total", "must say true or false, and this is known only when it is evaluated; compare it: … == true"),
    ("event.data.count + 1", "must say true or false, and this is of type int"),
    ("event", "line 1, column 1: undeclared reference to 'event'"),
    ("now() > event.time", "undeclared reference to 'now'"),
    ("'a' == \"\x00\"", "holds control characters"),
    ("true" + " " * LONGEST + "|| true", f"is longer than {LONGEST} characters"),
    ("(" * 200 + "true" + ")" * 200, "recursion limit"),
    ("event.data" + ".a" * 500 + " == 1", "recursion depth"),
    (" && ".join(["event.data.all(x, true)"] * 5), "walks lists more than 4 times"),
    ("event.data.all(x, nope(x))", "undeclared reference to 'nope'"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=range(len(REFUSED)))
def test_refused_at_save_with_the_place(text: str, said: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_filter(text)
    [fault] = refusal.value.faults
    assert fault.pointer == "/filter"
    assert said in fault.detail


def test_an_empty_one_is_none() -> None:
    assert check_filter(" \n ") == ""


def test_one_that_no_longer_compiles_does_not_match() -> None:
    assert Filter("event.gone == 1").evaluate(activation_of(subject()))[0] is False


UNHELD: list[tuple[str, str, bool]] = [
    ("event.data.n > 1.0", '{"n": 1%s}' % ("0" * 30), True),  # beyond 64 bits: as a double
    ("event.data.m == 1", '{"n": -1%s, "m": 1}' % ("0" * 400), True),  # beside one that not even a double holds
    ("event.data.n == 18446744073709551615u", '{"n": 18446744073709551615}', True),
    ("event.data.s == 'a'", '{"s": "a\\u0000b"}', False),  # not cut off at the null character
]


@pytest.mark.parametrize(("text", "data", "expected"), UNHELD)
def test_values_that_the_engine_does_not_hold(text: str, data: str, expected: bool) -> None:
    assert holds(text, Subject("a", WHEN, data.encode()))[0] is expected


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)
EVERY = [text for text, *_ in TABLE + FAILING]


@given(JSON, st.sampled_from(EVERY))
def test_it_says_yes_or_no_of_whatever_comes(data: Any, text: str) -> None:
    try:
        event = subject(data)
    except UnicodeEncodeError:
        return
    assert holds(text, event)[0] in {True, False}


@pytest.mark.parametrize(
    "text",
    [
        "event.data.a == 1",
        'event.type == "a" && event.data.b.c != "x"',
        'event.data.a in ["b", "c"]',
        'event.data.a in [-1, 2] || event.data.a == ["b"]',
        'event.data["a b"][0].c == 1 ? event.data.d < 3.5 : has(event.data.e)',
    ],
)
def test_an_ordered_destination_may_compare_with_constants(text: str) -> None:
    assert check_filter(text, is_ordered=True) == text


@pytest.mark.parametrize(
    "text",
    [
        "event.data.a == event.data.b",
        "event.data.a.all(x, x == 1)",
        'event.data.a.contains("x")',
        'event.data.a.matches("^x")',
        'event.data.a + "x" == "yx"',
        "7 in event.data.a",
        "event.data.a in [event.data.b]",
        "[event.data.a] == [event.data.b]",
        "[event.data.a, 1][0] == [event.data.b][0]",
        "event.data[event.data.a] == 1",
        "{event.data.a: 1}['b'] == 1",
        "event.data.a in {'a': event.data.b}",
    ],
)
def test_an_ordered_destination_may_do_no_more(text: str) -> None:
    with pytest.raises(Invalid):
        check_filter(text, is_ordered=True)


def test_a_hundred_of_those_over_much_data_take_no_time_to_speak_of() -> None:
    """They are evaluated where everybody else's events come in."""
    long = [str(number) for number in range(6_000)]
    data = json.dumps({"a": long, "b": long}).encode()
    text = " && ".join([f'event.data.a != "{number}"' for number in range(60)])
    judge = InlineJudge(Subject("a", datetime(2026, 1, 1, tzinfo=UTC), data))
    filters = [
        filter_of(check_filter(f'{text} && event.data.a != "x{number}"', is_ordered=True)) for number in range(100)
    ]
    began = process_time()
    for one in filters:
        judge.verdict(one, at_once=True)
    assert process_time() - began < 1.0
    began = process_time()
    for one in filters:
        judge.verdict(one, at_once=True)
    assert process_time() - began < 0.05
