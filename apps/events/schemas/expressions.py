"""Whether a schema's regular expressions may be compiled: few, short, and together small, known beforehand.

A hundred of `^\\p{L}{60}$`, a page of schema, take seconds and 300 MB to compile: an engine's own limit bounds each,
never all. So their sizes are estimated from their texts and added up; then each is compiled alone, with its own
estimate as the engine's limit, so that one that was misread is refused and not paid for.
"""

from collections.abc import Iterator

import jsonschema_rs

from apps.events.schemas import patterns, validators
from apps.events.schemas.walk import Document, Path
from apps.kernel.errors import Fault
from apps.kernel.strict_json import pointer

MAX_PATTERNS = 100  # different ones in one schema
MAX_TEXT = 16_384  # characters of all of them
MAX_SIZE = 8_000_000  # bytes of all of them, compiled: a tenth of a second


def faults_of_patterns(document: Document) -> list[Fault]:
    """What is wrong with the expressions: `too_complex` where it is all of them, else `invalid_pattern` for each."""
    found = dict(document.patterns())
    if len(found) > MAX_PATTERNS:
        return [Fault("", f"has more than {MAX_PATTERNS} regular expressions", "too_complex")]
    if sum(map(len, found)) > MAX_TEXT:
        return [Fault("", f"has more than {MAX_TEXT} characters of regular expressions", "too_complex")]
    return list(_beyond_the_budget(found)) or list(_not_compiling(found))


def _beyond_the_budget(found: dict[str, Path]) -> Iterator[Fault]:
    size = 0
    for pattern, path in found.items():
        size += patterns.estimated_size(pattern)
        if size > MAX_SIZE:
            detail = "is too large a regular expression, alone or with those before it: lower its counts"
            yield Fault(pointer(*path), detail, "too_complex")
            return


def _not_compiling(found: dict[str, Path]) -> Iterator[Fault]:
    for pattern, path in found.items():
        try:
            validators.compiled({"pattern": pattern}, size=patterns.size_limit(pattern))
        except jsonschema_rs.ValidationError:
            yield Fault(pointer(*path), "is no regular expression (ECMA 262), or too large", "invalid_pattern")
