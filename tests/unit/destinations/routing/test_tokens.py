"""No text hides the rest of a filter from what it costs: what is not surely read as CEL reads it has no bound."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from cel_expr_python import cel  # type: ignore[import-untyped]
from hypothesis import assume, example, given
from hypothesis import strategies as st

from apps.destinations.routing.costs import UNBOUNDED, outline
from apps.destinations.routing.filters import MOST_MACROS, VARIABLES, Filter, check_filter
from apps.destinations.routing.matching import InlineJudge, PatientJudge
from apps.destinations.routing.subject import Subject
from apps.destinations.routing.tokens import most_calls, tokens_of
from apps.destinations.routing.workers import Workers
from apps.kernel.errors import Invalid

CEL = cel.NewEnv(variables=VARIABLES)
TOO_LONG = "(event.data.s + event.data.s).matches(event.data.s) || event.data.l.map(x, x) == []"
HIDING = [
    rf'"""\"""" == event.type || {TOO_LONG} // "',
    rf"'''\'''' == event.type || {TOO_LONG} // '",
    rf'"""a\\\"""" == event.type || {TOO_LONG} // "',
    f'"""\'""" == event.type || {TOO_LONG} // \'',
    f"event.type == 'a' // '\n || {TOO_LONG} // '",
]


def subject(data: object) -> Subject:
    return Subject("invoice.paid", datetime(2026, 3, 4, tzinfo=UTC), json.dumps(data).encode())


SMALL = subject({"s": "abc", "l": [1, 2]})


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    some = Workers(1)
    yield some
    some.close()


@pytest.mark.parametrize("text", HIDING, ids=range(len(HIDING)))
def test_a_text_hides_nothing(text: str) -> None:
    CEL.compile(text)  # it is CEL
    one = Filter(check_filter(text))
    one.compile()
    assert one.outline.most(SMALL) == UNBOUNDED
    assert InlineJudge(SMALL).verdict(one).holds is None


@pytest.mark.parametrize("text", HIDING, ids=range(len(HIDING)))
def test_an_ordered_destination_does_not_take_it(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_filter(text, is_ordered=True)
    assert r"no escapes but \\, \", \', \n, \r and \t" in refusal.value.faults[0].detail
    one = Filter(text)
    assert InlineJudge(SMALL).verdict(one, at_once=True).holds is None, "stored by an older release"


UNSURE = [
    "'''a'''",
    '"""a"""',
    "r'a'",
    'R"a"',
    r"'\x61'",
    r"'\u0061'",
    r"'\141'",
    r"'\a'",
    r"'\`'",
    "'a' // b\n",
    "\"'''\"",
]


@pytest.mark.parametrize("text", UNSURE)
def test_what_is_not_surely_read_has_no_bound(text: str) -> None:
    whole = f"event.type == {text}"
    assert check_filter(whole) == whole.strip()
    assert outline(whole).most(SMALL) == UNBOUNDED


PLAIN = ["'https://a.example/?a=\"b\"'", r"'\\\'\"\n\r\t'", '"it\'s"', "'ü€'", "1e-5", "0xFFu"]


@pytest.mark.parametrize("text", PLAIN)
def test_usual_constants_are_plain(text: str) -> None:
    assert check_filter(whole := f"event.data.x == {text}", is_ordered=True) == whole


def loops_of(text: str) -> int:
    """As CEL counts them."""
    found: int = CEL.compile(text).serialize().count(b"\x1a\x07@result")
    return found


LOOP = "[1].all(x, true)"
MANY = [
    rf'"""\"""" == event.type || {" && ".join([LOOP] * 5)} // "',
    "true // '\n && " + " && ".join([LOOP] * 5) + " // '",
    " && ".join(["[1].all // all // '\n // '\n (x, true)"] * 5),
]


@pytest.mark.parametrize("text", MANY, ids=range(len(MANY)))
def test_nor_does_it_hide_loops_from_their_limit(text: str) -> None:
    assert loops_of(text) == MOST_MACROS + 1
    with pytest.raises(Invalid, match="not valid") as refusal:
        check_filter(text)
    assert "walks lists more than 4 times" in refusal.value.faults[0].detail
    assert "walks lists" in Filter(text).evaluate(None).error, "in a worker it is refused as well"


def test_words_in_a_comment_are_no_loops() -> None:
    assert check_filter("true // all of all, and all that exists, and all else, filter and map")


HUGE = subject({"s": "(a|aa)*" * 10_000, "l": list(range(60))})
HEAVY = [
    r'"""\"""" == event.type || event.data.l.all(a, event.data.l.all(b, event.data.s.matches(event.data.s))) // "',
    r'"""\"""" == event.type || event.data.l.map(a, event.data.l.map(b, event.data.s + event.data.s)) == [] // "',
]


@pytest.mark.parametrize("text", HEAVY, ids=range(len(HEAVY)))
def test_in_a_worker_it_ends_and_harms_nobody(text: str, workers: Workers) -> None:
    began = time.monotonic()
    verdict = PatientJudge(HUGE, workers).verdict(Filter(check_filter(text)))
    assert verdict.holds is False
    assert verdict.error
    assert time.monotonic() - began < 10  # with the start of the worker, which has 1 s of CPU time for it
    assert PatientJudge(SMALL, workers).verdict(Filter("event.type.matches(event.type)")).holds is True


QUOTES = ['"', "'", '"""', "'''"]
PIECES = [*QUOTES, r"\"", r"\'", r"\\", r"\n", r"\x41", "//", "\n", "\r", " ", "a", "r", "b", "R", ",", "[", "]", "é"]


@st.composite
def literals(draw: st.DrawFn) -> str:
    """Mostly texts of CEL, in all its ways of writing them."""
    quote = draw(st.sampled_from(QUOTES))
    inside = "".join(draw(st.lists(st.sampled_from([*PIECES, '"', "'"]), max_size=6)))
    return draw(st.sampled_from(["", "", "", "r", "R", "b", "br"])) + quote + inside + quote


SEPARATORS = st.sampled_from([",", ", ", ",\n", " , // ' \n", ',//"\n', " //,\n,"])
LISTS = st.builds(lambda ones, by: f"[{by.join(ones)}]", st.lists(literals(), min_size=1, max_size=4), SEPARATORS)
SOUPS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=10).map(lambda pieces: f"['{''.join(pieces)}']")
ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def meant(literal: str) -> str:
    text, at = "", 1
    while at < len(literal) - 1:
        escaped = literal[at] == "\\"
        at += escaped
        text += ESCAPES.get(literal[at], literal[at]) if escaped else literal[at]
        at += 1
    return text


def evaluated(text: str) -> Any:
    """By CEL; None where that is none."""
    try:
        return [one.value() for one in CEL.compile(text).eval(data={}).value()]
    except RuntimeError:
        return None


@given(LISTS | SOUPS)
@example(r'["""\"""", "a" // "' + "\n]")
@example(r"""["a\\", 'it"s', "\"'"]""")
def test_texts_are_what_cel_reads_or_the_filter_has_no_bound(text: str) -> None:
    found = evaluated(text)
    assume(found is not None)
    tokens, is_sure = tokens_of(text)
    assert is_sure == outline(text).is_sure
    if is_sure:
        assert [meant(token) for kind, token in tokens if kind == "string"] == found
    else:
        assert outline(text).most(SMALL) == UNBOUNDED


FILTERS = [
    "event.data.s == event.type",
    "event.data.l.exists(x, x == event.data.s)",
    "event.data.s.contains('b') && event.data.s.matches('^a')",
    "event.data.s in ['a', 'b']",
    TOO_LONG,
]
AROUND = [
    "{text} == event.type || {rest}",
    "{rest} || {text} == event.type",
    "{text} == event.type || {rest} // {text}",
    "true // {text}\n && {rest}",
    "event.type == 'a' || {text} == event.type || ({rest}) || event.type == {text}",
    "event.type in [{text}, {text}] || {rest}",
]


@given(literals(), st.sampled_from(FILTERS), st.sampled_from(AROUND), st.sampled_from(["", ' // "', " // '"]))
@example(r'"""\""""', TOO_LONG, "{text} == event.type || {rest}", ' // "')
def test_no_text_makes_a_filter_cheaper(text: str, rest: str, around: str, end: str) -> None:
    whole = around.format(text=text, rest=rest) + end
    try:
        loops = loops_of(whole)
    except RuntimeError:
        assume(False)
    assume(loops == loops_of(rest))  # else the text has made a comment or a text of the rest
    assert outline(whole).most(SMALL) >= outline(rest).most(SMALL)
    assert outline(whole).macros >= loops


LOOPING = ["[1].all(x, true)", "[1].exists // '\n(x, true)", "'all(' == 'a'", r'"""\"all(""" == "a"', "r'//' == 'a'"]


@given(st.lists(st.sampled_from(LOOPING), max_size=8))
def test_loops_are_never_counted_too_few(parts: list[str]) -> None:
    text = " && ".join([*parts, "true"])
    assert outline(text).macros >= loops_of(text)
    assert most_calls(text, ["all", "exists"]) >= loops_of(text)
