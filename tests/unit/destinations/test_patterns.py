"""Subscription patterns: a table, and a property against the plainest matcher one can write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.destinations.patterns import compile_patterns, is_pattern, matches

TABLE = [
    ("*", "invoice", True),
    ("*", "invoice.paid", True),
    ("*", "invoice.item.paid", True),
    ("invoice.*", "invoice.paid", True),
    ("invoice.*", "invoice.item.paid", True),  # a closing * is one segment or more
    ("invoice.*", "invoice", False),
    ("invoice.*", "invoices.paid", False),
    ("invoice.paid", "invoice.paid", True),
    ("invoice.paid", "invoice.paid.late", False),
    ("invoice.paid", "invoiceXpaid", False),  # a dot is a dot
    ("*.paid", "invoice.paid", True),
    ("*.paid", "invoice.item.paid", False),  # any other * is exactly one
    ("*.item.*", "invoice.item.paid.late", True),
    ("*.*", "invoice", False),
    ("*.*", "invoice.item.paid", True),
    ("Invoice.paid", "invoice.paid", False),
]


@pytest.mark.parametrize(("pattern", "name", "expected"), TABLE)
def test_table(pattern: str, name: str, expected: bool) -> None:
    assert matches(pattern, name) is expected


NO_PATTERNS = ["", ".", "a.", ".a", "a..b", "a.**", "a*", "*a", "in*ce", "a b", "a\n", "a.b\n", "ä", "a/b", "x" * 129]


@pytest.mark.parametrize("text", NO_PATTERNS)
def test_what_is_no_pattern(text: str) -> None:
    assert not is_pattern(text)


@pytest.mark.parametrize("text", ["*", "a", "a.b", "a.*", "*.*", "a_b-c.D9", "x" * 128, "a." + "b." * 62 + "*"])
def test_what_is_a_pattern(text: str) -> None:
    assert is_pattern(text)


# Few letters, so that patterns and names meet often.
segments = st.sampled_from(["a", "b", "ab", "A-b", "a_1"])
names = st.lists(segments, min_size=1, max_size=5).map(".".join)
patterns = st.lists(st.one_of(segments, st.just("*")), min_size=1, max_size=5).map(".".join)


def naive(pattern: str, name: str) -> bool:
    wanted, found = pattern.split("."), name.split(".")
    if wanted[-1] == "*" and len(found) > len(wanted):
        found = found[: len(wanted)]
    return len(found) == len(wanted) and all(w in {"*", f} for w, f in zip(wanted, found, strict=True))


@given(patterns, names)
def test_as_the_naive_matcher_says(pattern: str, name: str) -> None:
    assert is_pattern(pattern)
    assert matches(pattern, name) is naive(pattern, name)


@given(st.lists(patterns, max_size=5), names)
def test_several_patterns_match_what_any_of_them_does(several: list[str], name: str) -> None:
    expected = any(naive(pattern, name) for pattern in several)
    assert (compile_patterns(several).fullmatch(name) is not None) is expected


def test_the_worst_pattern_is_still_quick() -> None:
    """No backtracking: a pattern of nothing but stars against a long name that misses it by its last segment."""
    pattern = compile_patterns([".".join(["*"] * 60) + ".z"] * 100)
    assert pattern.fullmatch(".".join(["a"] * 64)) is None
