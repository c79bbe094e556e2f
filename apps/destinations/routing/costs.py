"""How long a filter may take at most, by a look at its text and at the size of the data: in nanoseconds, roughly.

CEL ends always, and its engine stops loops after 10,000 rounds, but a round may look at all of the data, and a text may
be made twice as long in each. So what a filter may cost is added up beforehand: each look at a value at most the price
of all of the data, each loop at most as many rounds as there are values. Prices are as measured, and rounded up. What
can't be added up so, or can't be read beyond doubt, is unbounded: for a worker process.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

from apps.destinations.routing.subject import Subject
from apps.destinations.routing.tokens import Token, most_calls, tokens_of

ROUNDS = 10_000  # of all loops of an evaluation together; more, and the engine ends it
UNBOUNDED = 1 << 62

_LOOPS = {"all", "exists", "exists_one", "existsOne", "filter", "map"}
_LISTS = {"filter", "map"}  # that make lists, each round a longer one
_SEARCHES = {"contains"}
_CALLS = {"size", "startsWith", "endsWith", "int", "uint", "double", "string", "bool", "dyn", "timestamp", "duration"}
_CALLS |= {"bytes"} | _SEARCHES
_STEPS = {"has", "type", "in"}
_DATES = {"getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours"}
_DATES |= {"getMinutes", "getSeconds", "getMilliseconds"}
_LOOKS = {"==", "!=", "<", "<=", ">", ">=", "in"}  # operators that may look at all of a value
_OPENING, _CLOSING = {"(", "[", "{"}, {")", "]", "}"}
_PLAIN_EXPRESSION = re.compile(r"""(['"])[^'"\\{}]{0,100}\1""")


@dataclass(frozen=True, slots=True)
class Outline:
    """What a text is made of."""

    steps: int = 0  # that look at one place
    looks: int = 0  # that may look at all of a value
    searches: int = 0  # for one text in another
    expressions: int = 0  # regular ones, plain and short
    letters: int = 0  # bytes of them all
    macros: int = 0  # loops
    elements: int = 1  # of lists in the text itself
    longest: int = 0  # bytes of a text in the text itself
    is_sure: bool = True  # whether CEL surely reads the text as it is read here
    is_bounded: bool = True

    @property
    def is_plain(self) -> bool:
        """Whether it does no more than compare places with constants: what that takes does not hang on the data."""
        return self.is_bounded and not (self.macros or self.searches or self.looks or self.expressions)

    def most(self, subject: Subject) -> int:
        """Nanoseconds over this event, at most; UNBOUNDED where that can't be said."""
        if not self.is_bounded:
            return UNBOUNDED
        size, values = len(subject.data) + 1_000, subject.values
        rounds: int = min(ROUNDS, (max(values, self.elements) + 1) ** self.macros)
        look = 100 + 250 * values + 2 * size
        search = look + size * size // 160
        once = 80 * self.steps + look * self.looks + search * self.searches + self._matching(subject)
        return min(10_000 + rounds * once, UNBOUNDED)

    def _matching(self, subject: Subject) -> int:
        """Each byte of a text may lead to each place of an expression, which is compiled each time."""
        text = max(subject.longest, self.longest)
        return 10_000 * self.expressions + self.letters * (4_000 + 70 * text)

    @staticmethod
    def opening(subject: Subject) -> int:
        """Nanoseconds that decoding the data and handing it over takes, once for all filters."""
        return 20_000 + 600 * subject.values + 26 * len(subject.data)


def outline(source: str) -> Outline:
    """Of a text that was compiled: what it says is not judged here."""
    tokens, is_sure = tokens_of(source)
    following = [*tokens[1:], (None, "")]
    calls = [
        name for (kind, name), (_, after) in zip(tokens, following, strict=True) if kind == "name" and after == "("
    ]
    operators = [text for kind, text in tokens if kind == "operator" or text == "in"]
    expressions = _plain_expressions(tokens)
    known = _CALLS | _LOOPS | _STEPS | _DATES | {"matches"}
    bounded = (
        is_sure
        and "+" not in operators
        and not _LISTS & set(calls)
        and calls.count("matches") == len(expressions)
        and known.issuperset(calls)
        and not _zoned(tokens)
        and not _messages(tokens)
    )
    return Outline(
        steps=len(tokens),
        looks=_looks(tokens) + 3 * _indices(tokens) + _keys(tokens) + sum(name in _CALLS for name in calls),
        searches=sum(name in _SEARCHES for name in calls),
        expressions=len(expressions),
        letters=sum(map(_length, expressions)),
        macros=sum(name in _LOOPS for name in calls) if is_sure else most_calls(source, _LOOPS),
        elements=_elements(tokens),
        longest=max((_length(text) for kind, text in tokens if kind == "string"), default=0),
        is_sure=is_sure,
        is_bounded=bounded,
    )


def _looks(tokens: list[Token]) -> int:
    """Comparisons of two values; to compare with one in the text, or with a list of such, is but a step.

    To look for one from the text in a list of the data is to look at all of that.
    """
    return sum(_looks_of(tokens, at) for at, (_, token) in enumerate(tokens) if token in _LOOKS)


def _looks_of(tokens: list[Token], at: int) -> int:
    before, after = tokens[max(0, at - 1) : at], tokens[at + 1 : at + 2]
    if after == [("operator", "[")]:
        listed = _within(tokens, at + 1)
        is_fixed = all(_is_fixed(token) or token[1] in {",", "-"} for token in listed)
        return 0 if is_fixed else 1 + sum(text == "," for _, text in listed)
    if tokens[at][1] != "in" and any(map(_is_fixed, before + after)):
        return 0
    return 1 + (_elements(tokens) if _is_one_of(_CLOSING, before) or _is_one_of(_OPENING, after) else 0)


def _is_one_of(operators: set[str], tokens: list[Token]) -> bool:
    return any(kind == "operator" and text in operators for kind, text in tokens)


def _elements(tokens: list[Token]) -> int:
    """Of lists in the text, all together, at most: in parentheses, or called something, they are not seen."""
    return 1 + sum(token == ("operator", ",") for token in tokens)


def _is_fixed(token: Token) -> bool:
    return token[0] in {"string", "number"} or token[1] in {"true", "false", "null"}


def _within(tokens: list[Token], opening: int) -> list[Token]:
    """What is between this bracket and the one that closes it."""
    depth = 0
    for at in range(opening, len(tokens)):
        depth += {"[": 1, "]": -1}.get(tokens[at][1], 0) if tokens[at][0] == "operator" else 0
        if not depth:
            return tokens[opening + 1 : at]
    return tokens[opening + 1 :]


def _indices(tokens: list[Token]) -> int:
    """Members that are named by a value and not in the text: it is looked at, and again for the error if need be."""
    return sum(
        token == ("operator", "[")
        and (before[0] == "name" or before[1] in {")", "]", "}"})
        and before[1] != "in"
        and not all(map(_is_fixed, _within(tokens, at)))
        for at, (before, token) in enumerate(pairwise(tokens), start=1)
    )


def _keys(tokens: list[Token]) -> int:
    """Of maps in the text."""
    return sum(token == ("operator", ":") for token in tokens) if ("operator", "{") in tokens else 0


def _plain_expressions(tokens: list[Token]) -> list[str]:
    """Of `.matches('…')`: the short ones in the text, without counted repetition, which makes much of few letters."""
    texts = [token for _, token in tokens]
    return [
        texts[at + 3]
        for at in range(len(texts) - 4)
        if texts[at : at + 3] == [".", "matches", "("]
        and texts[at + 4] == ")"
        and tokens[at + 3][0] == "string"
        and _PLAIN_EXPRESSION.fullmatch(texts[at + 3])
    ]


def _length(literal: str) -> int:
    """In bytes, without its quotes."""
    return len(literal.encode()) - 2


def _messages(tokens: list[Token]) -> bool:
    """Whether there is one, `google.protobuf.ListValue{…}`: its values are all converted."""
    return any(
        kind == "name" and name != "in" and after == ("operator", "{") for (kind, name), after in pairwise(tokens)
    )


def _zoned(tokens: list[Token]) -> bool:
    """Whether a part of a date is asked for in a time zone, which is read from a file."""
    texts = [token for _, token in tokens]
    return any(name in _DATES and texts[at + 1 : at + 3] != ["(", ")"] for at, name in enumerate(texts))
