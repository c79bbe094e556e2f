"""What compiling and matching a regular expression of a schema can cost, and the engines that bound it."""

import re
from collections.abc import Callable
from functools import lru_cache

import jsonschema_rs

SIZE = 4 << 20  # bytes of a compiled expression
BACKTRACKS = 1_000  # steps back on one text; beyond, it doesn't match

type Engine = jsonschema_rs.RegexOptions | jsonschema_rs.FancyRegexOptions

# The last two never fail to match, so that no text is scanned twice: a class without an end is one to the end.
_TOKEN = re.compile(
    r"\\[pP](?:\{[^}]{0,60}\}|.)|\\.|\[\^?\]?(?:\\.?|[^\]\\])*+(?:\]|\Z)|\{(\d+)(,)?(\d*)\}|.", re.DOTALL
)
_LOOKS_BACK = re.compile(r"\(\?<?[=!]|\\[1-9k]")
_MOST_STATES = 10**6

# Bytes of the compiled expression, measured and rounded up. A hundred kilobytes take a millisecond.
_PIECE = 300
_UNICODE_CLASS = 45_000  # `\p{L}`
_COMPLEMENT = 2_200  # `.`, `\S`, `[^a]`: all of Unicode but a little
_CLASS_CHARACTER = 40
_SLACK = 16 << 10  # what an expression may have beyond its estimate


@lru_cache(1_000)
def engines(size: int) -> tuple[Engine, Engine]:
    """For expressions of at most `size` bytes, compiled.

    The first is linear in the text, whatever the expression. Look-around and back-references are beyond it and need
    the other.
    """
    linear = jsonschema_rs.RegexOptions(size_limit=size)
    return linear, jsonschema_rs.FancyRegexOptions(size_limit=size, backtrack_limit=BACKTRACKS)


def cost_per_character(pattern: str) -> int:
    """How many schema visits one character of text is worth, at worst.

    In the worst case an engine keeps all states of an expression and steps each at each character; measured, that
    takes a fifth of a visit a state. Each step back scans the text anew.
    """
    states = number_of_states(pattern)
    return states * 40 if _LOOKS_BACK.search(pattern) else 1 + states // 5


def number_of_states(pattern: str) -> int:
    """The expression's length with its counted repetitions written out: `(ab{10}){3}` has 33."""
    return min(_written_out(pattern, lambda token: 1), _MOST_STATES)


def estimated_size(pattern: str) -> int:
    """Bytes of the compiled expression, known before it is compiled; mostly two or three times too many."""
    return _written_out(pattern, _size)


def size_limit(pattern: str) -> int:
    """Bytes beyond which the estimate was wrong, so that nothing it misreads can cost more than it said."""
    return min(estimated_size(pattern) + _SLACK, SIZE)


def _size(piece: str) -> int:
    if piece[0] == "[":
        complement = _COMPLEMENT if piece.startswith("[^") or re.search(r"\\[DSWs]", piece) else 0
        unicode_classes = _UNICODE_CLASS * len(re.findall(r"\\[pP]", piece))
        return _PIECE + complement + unicode_classes + _CLASS_CHARACTER * len(piece)
    if piece[:2] in {r"\p", r"\P"}:
        return _UNICODE_CLASS
    if piece in {".", r"\S", r"\W", r"\D", r"\s"}:
        return _COMPLEMENT
    return _PIECE if piece.isascii() else 2 * _PIECE


def _written_out(pattern: str, weigh: Callable[[str], int]) -> int:
    """The weight of the expression's pieces, each as often as its counts say."""
    sizes, last = [0], 0  # of each open group so far; of the last piece, to which a count belongs
    for token in _TOKEN.finditer(pattern):
        text = token[0]
        if text == "(":
            sizes.append(0)
            last = 0
            continue
        if text == ")" and len(sizes) > 1:
            last = sizes.pop()
            sizes[-1] += last
        elif token[1]:
            times = max(1, int((token[3] or token[1])[:7]))
            sizes[-1] += last * (times - 1)
            last *= times
        else:
            last = weigh(text)
            sizes[-1] += last
    return sum(sizes)
