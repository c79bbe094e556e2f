"""What matching a regular expression of a schema can cost, and the engines that bound it."""

import re

import jsonschema_rs

SIZE = 4 << 20  # bytes of a compiled expression
BACKTRACKS = 1_000  # steps back on one text; beyond, it doesn't match

# Linear in the text, whatever the expression. Look-around and back-references are beyond it and need the other.
LINEAR = jsonschema_rs.RegexOptions(size_limit=SIZE)
BACKTRACKING = jsonschema_rs.FancyRegexOptions(size_limit=SIZE, backtrack_limit=BACKTRACKS)

_TOKEN = re.compile(r"\\[pP]\{[^}]*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(\d+)(,)?(\d*)\}|.", re.DOTALL)
_LOOKS_BACK = re.compile(r"\(\?<?[=!]|\\[1-9k]")
_MOST_STATES = 10**6


def cost_per_character(pattern: str) -> int:
    """How many schema visits one character of text is worth, at worst.

    In the worst case an engine keeps all states of an expression and steps each at each character; measured, that
    takes a fifth of a visit a state. Each step back scans the text anew.
    """
    states = number_of_states(pattern)
    return states * 40 if _LOOKS_BACK.search(pattern) else 1 + states // 5


def number_of_states(pattern: str) -> int:
    """The expression's length with its counted repetitions written out: `(ab{10}){3}` has 33."""
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
            last = 1
            sizes[-1] += 1
    return min(sum(sizes), _MOST_STATES)
