"""How long a filter may take at most, by a look at its text and at the size of the data: in nanoseconds, roughly.

CEL ends always, and its engine stops loops after 10,000 rounds, but a round may look at all of the data, and a text may
be made twice as long in each. So what a filter may cost is added up beforehand: each look at a value at most the price
of all of the data, each loop at most as many rounds as there are values. Prices are as measured, and rounded up. What
can't be added up so, is unbounded: for a worker process.
"""

import re
from dataclasses import dataclass

from apps.destinations.routing.subject import Subject

ROUNDS = 10_000  # of all loops of an evaluation together; more, and the engine ends it
UNBOUNDED = 1 << 62

_TOKEN = re.compile(
    r"""(?P<string>[rRbB]{0,2}(?:\"\"\".*?\"\"\"|'''.*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
      | (?P<comment>//[^\n]*) | (?P<name>[A-Za-z_]\w*) | (?P<number>[0-9][0-9A-Za-z.]*)
      | (?P<operator>==|!=|<=|>=|&&|\|\||[-+*/%<>!?:.,()\[\]{}]) | (?P<space>\s+) | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_LOOPS = {"all", "exists", "exists_one", "existsOne", "filter", "map"}
_LISTS = {"filter", "map"}  # that make lists, each round a longer one
_SEARCHES = {"contains"}
_CALLS = {"size", "startsWith", "endsWith", "int", "uint", "double", "string", "bool", "dyn", "timestamp", "duration"}
_CALLS |= {"bytes"} | _SEARCHES
_STEPS = {"has", "type", "in"}
_DATES = {"getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours"}
_DATES |= {"getMinutes", "getSeconds", "getMilliseconds"}
_LOOKS = {"==", "!=", "<", "<=", ">", ">=", "in"}  # operators that may look at all of a value
_PLAIN_EXPRESSION = re.compile(r"""(['"])[^'"\\{}]{0,100}\1""")


@dataclass(frozen=True, slots=True)
class Outline:
    """What a text is made of."""

    steps: int = 0  # that look at one place
    looks: int = 0  # that may look at all of a value
    searches: int = 0  # for one text in another
    expressions: int = 0  # regular ones, plain and short
    macros: int = 0  # loops
    elements: int = 1  # of lists in the text itself
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
        look = 100 + 250 * values + size
        search = look + size * size // 160
        once = 50 * self.steps + look * self.looks + search * self.searches + self.expressions * (60_000 + 10 * size)
        total: int = 10_000 + rounds * once
        return total

    @staticmethod
    def opening(subject: Subject) -> int:
        """Nanoseconds that decoding the data and handing it over takes, once for all filters."""
        return 20_000 + 300 * subject.values + 4 * len(subject.data)


def outline(source: str) -> Outline:
    """Of a text that was compiled: what it says is not judged here."""
    tokens = [(found.lastgroup, found[0]) for found in _TOKEN.finditer(source)]
    tokens = [token for token in tokens if token[0] not in {"space", "comment"}]
    following = [*tokens[1:], (None, "")]
    calls = [
        name for (kind, name), (_, after) in zip(tokens, following, strict=True) if kind == "name" and after == "("
    ]
    operators = [text for kind, text in tokens if kind == "operator" or text == "in"]
    plain = _plain_expressions(tokens)
    known = _CALLS | _LOOPS | _STEPS | _DATES | {"matches"}
    bounded = (
        "+" not in operators
        and not _LISTS & set(calls)
        and calls.count("matches") == plain
        and known.issuperset(calls)
        and not _zoned(tokens)
    )
    return Outline(
        steps=len(tokens),
        looks=_looks(tokens) + sum(name in _CALLS for name in calls),
        searches=sum(name in _SEARCHES for name in calls),
        expressions=plain,
        macros=sum(name in _LOOPS for name in calls),
        elements=1 + operators.count(","),
        is_bounded=bounded,
    )


def _looks(tokens: list[tuple[str | None, str]]) -> int:
    """Comparisons of two values; to compare with one in the text is but a step."""
    fixed = [kind in {"string", "number"} or token in {"true", "false", "null"} for kind, token in tokens]
    sides = zip([False, *fixed], [*fixed[1:], False], strict=False)
    return sum(
        token in _LOOKS and not any(side) and tokens[at + 1 : at + 2] != [("operator", "[")]
        for at, ((_, token), side) in enumerate(zip(tokens, sides, strict=True))
    )


def _plain_expressions(tokens: list[tuple[str | None, str]]) -> int:
    """How many of `.matches('…')` have a short expression in the text, without counted repetition or classes."""
    texts = [token for _, token in tokens]
    return sum(
        texts[at : at + 3] == [".", "matches", "("]
        and texts[at + 4 : at + 5] == [")"]
        and tokens[at + 3][0] == "string"
        and _PLAIN_EXPRESSION.fullmatch(texts[at + 3]) is not None
        for at in range(len(texts) - 4)
    )


def _zoned(tokens: list[tuple[str | None, str]]) -> bool:
    """Whether a part of a date is asked for in a time zone, which is read from a file."""
    texts = [token for _, token in tokens]
    return any(name in _DATES and texts[at + 1 : at + 3] != ["(", ")"] for at, name in enumerate(texts))
