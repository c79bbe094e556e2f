"""Validators: compiled, offline, with a bound on what they may cost."""

from dataclasses import dataclass

import jsonschema_rs
import msgspec

from apps.events.schemas import cost, patterns
from apps.events.schemas.explain import explained
from apps.events.schemas.walk import Document, Object
from apps.kernel.errors import Fault
from apps.kernel.remembered import WeighedCache

CACHED = 512  # validators kept, and
CACHED_BYTES = 128_000_000  # of memory they may take
BYTES_PER_CHARACTER = 16  # of a schema's text, measured: one of GitHub's types takes a third of a megabyte

BASE = "/data"

# In visits: each a few nanoseconds, at worst fifty, when checking, and some microseconds when explaining.
MOST = 20_000_000
MOST_EXPLAINED = 500_000


@dataclass(frozen=True, slots=True)
class Validator:
    """A schema ready to hold values against; safe to share between threads."""

    text: str
    compiled: jsonschema_rs.Validator
    bound: cost.Bound | None  # None: a value is checked at the same cost whatever it is


_validators: WeighedCache[str, Validator] = WeighedCache(most=CACHED, weight=CACHED_BYTES)


def validator(schema_text: str) -> Validator:
    """The validator for a schema that `check_schema` let pass, as its JSON text; remembered by that text.

    Raises jsonschema_rs.ValidationError, ValueError or TooComplex for any other.
    """
    found = _validators.get(schema_text)
    if found is None:
        found, weight = _made(schema_text)
        _validators.put(schema_text, found, weight)
    return found


def _made(schema_text: str) -> tuple[Validator, int]:
    """A new one, and how many bytes it takes, roughly."""
    schema = msgspec.json.decode(schema_text)
    weight = BYTES_PER_CHARACTER * len(schema_text)
    if not isinstance(schema, dict):
        return Validator(schema_text, compiled(schema), None), weight
    document = Document(schema)
    weight += sum(map(patterns.estimated_size, dict(document.patterns())))
    return Validator(schema_text, compiled(schema), cost.bound(document)), weight


def compiled(schema: Object | bool, *, size: int = patterns.SIZE) -> jsonschema_rs.Validator:
    """Compile for the draft `$schema` names, 2020-12 without one; raises jsonschema_rs.ValidationError.

    Never fetches anything. Expressions run in linear time if all of them can, else with bounded backtracking; `size`
    is the most bytes one of them may have.
    """
    linear, backtracking = patterns.engines(size)
    try:
        return jsonschema_rs.validator_for(schema, pattern_options=linear, offline=True)
    except jsonschema_rs.ValidationError as error:
        if not is_of_pattern(error):
            raise
        return jsonschema_rs.validator_for(schema, pattern_options=backtracking, offline=True)


def is_of_pattern(error: jsonschema_rs.ValidationError) -> bool:
    """Whether a schema was refused for a regular expression in it."""
    return error.kind.as_dict().get("format") == "regex"


def faults(validator: Validator, value: object, limit: int = 20, *, size: int | None = None) -> list[Fault]:
    """What is wrong with a decoded value, at most `limit` faults with pointers under `/data`; empty if nothing is.

    A fault's code is the keyword that failed, in snake case; for `required` the pointer is to the object that
    lacks the property. `too_complex`: checking could have taken too long and wasn't tried.

    `size`: the value's in bytes of JSON; a caller who knows it saves the work of finding out.
    """
    if not _is_affordable(validator, value, size):
        return [Fault(BASE, "is too large to be held against so complex a schema", "too_complex")]
    if validator.compiled.is_valid(value):
        return []
    found: list[Fault] = []
    if validator.bound is None or validator.bound.of(value)[0] <= MOST_EXPLAINED:
        found = explained(msgspec.json.decode(validator.text), validator.compiled.evaluate(value))
    found = found or [Fault("", "doesn't match the schema, and is too large to say where", "schema")]
    return [fault.under(BASE) for fault in found[:limit]]


def _is_affordable(validator: Validator, value: object, size: int | None) -> bool:
    if validator.bound is None:
        return True
    # A value has fewer parts and characters than bytes; only few values need the exact answer.
    dearest = validator.bound.visits[-1] + validator.bound.text[-1]
    size = len(msgspec.json.encode(value)) if size is None else size
    return size * dearest <= MOST or sum(validator.bound.of(value)) <= MOST
