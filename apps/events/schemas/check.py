"""Whether a JSON Schema may be registered: valid, closed in itself, and cheap enough to hold events against."""

import json
from collections.abc import Iterator

import jsonschema_rs

from apps.events.schemas import cost, validators
from apps.events.schemas.expressions import faults_of_patterns
from apps.events.schemas.walk import Document, Object, Reference
from apps.events.schemas.words import MAX_DETAIL, snake_case
from apps.kernel import strict_json
from apps.kernel.errors import Fault, Invalid, Malformed
from apps.kernel.strict_json import pointer

BASE = "/schema"
MAX_BYTES = 512 * 1024  # of a schema, encoded
MAX_SCHEMAS = 12_000  # within one, itself included: a third of a second to compile

DRAFTS = {
    "json-schema.org/draft-04/schema",
    "json-schema.org/draft-06/schema",
    "json-schema.org/draft-07/schema",
    "json-schema.org/draft/2019-09/schema",
    "json-schema.org/draft/2020-12/schema",
}


def check_schema(schema: object) -> None:
    """Raises Invalid with pointers under `/schema` for anything that can't be a type's schema.

    Taken are JSON Schemas of the drafts 4, 6, 7, 2019-09 and 2020-12 (meant where `$schema` is absent), up to
    512 KiB and 64 levels, whose references all stay within the document, whose regular expressions keep to a budget,
    and which can't be made to take long.
    """
    if not isinstance(schema, dict | bool):
        raise refused([Fault("", "must be a JSON Schema: an object, true or false", "wrong_type")])
    if isinstance(schema, dict):
        _check_object(_as_json(schema))


def refused(faults: list[Fault]) -> Invalid:
    """The Invalid for a schema; the faults' pointers are into it."""
    faults = [fault.under(BASE) for fault in faults]
    detail = f"{faults[0].pointer}: {faults[0].detail}" if len(faults) == 1 else f"{len(faults)} faults"
    return Invalid(f"this can't be a schema: {detail}", code="invalid_schema", faults=faults)


def _as_json(schema: Object) -> Object:
    """The schema as it will be stored and read again."""
    try:
        raw = json.dumps(schema, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
        if len(raw) > MAX_BYTES:
            detail = f"has {len(raw)} bytes; a schema has at most {MAX_BYTES}"
            raise refused([Fault("", detail, "too_large")])
        checked: Object = strict_json.check(raw)
    except Malformed as problem:
        raise refused(list(problem.faults) or [Fault("", problem.detail, problem.code)]) from problem
    except RecursionError as error:
        raise refused([Fault("", "nests too deep", "too_deep")]) from error
    except (TypeError, ValueError) as error:
        raise refused([Fault("", f"isn't JSON: {error}"[:MAX_DETAIL], "malformed")]) from error
    return checked


def _check_object(schema: Object) -> None:
    _check_draft(schema)
    try:
        document = Document(schema)
    except ValueError as error:  # a URI that is none
        raise refused([Fault("", f"{error}"[:MAX_DETAIL], "invalid_reference")]) from error
    if document.number_of_schemas > MAX_SCHEMAS:
        raise refused([Fault("", f"has more than {MAX_SCHEMAS} schemas within it", "too_complex")])
    if faults := [*_faults_of_references(document), *faults_of_patterns(document)]:
        raise refused(faults[:20])
    _compile(schema)
    _check_cost(document)


def _check_draft(schema: Object) -> None:
    draft = schema.get("$schema")
    if isinstance(draft, str) and draft.partition("://")[2].removesuffix("#") not in DRAFTS:
        detail = "is no draft known here; 4, 6, 7, 2019-09 and 2020-12 are"
        raise refused([Fault("/$schema", detail, "unknown_draft")])


def _faults_of_references(document: Document) -> Iterator[Fault]:
    for reference in document.references:
        if complaint := _complaint(document, reference):
            yield Fault(pointer(*reference.path), *complaint)


def _complaint(document: Document, reference: Reference) -> tuple[str, str] | None:
    shown = reference.text[:100]
    try:
        if not document.is_local(reference):
            return f"{shown!r} lies outside this schema; include what it refers to", "remote_reference"
        found = document.target(reference.base, reference.text)
    except ValueError:
        return f"{shown!r} is no URI reference (RFC 3986)", "invalid_reference"
    except LookupError:
        found = None
    if isinstance(found, dict | bool):
        return None
    return f"{shown!r} leads to no schema in this document", "dangling_reference"


def _compile(schema: Object) -> None:
    try:
        validators.compiled(schema)
    except jsonschema_rs.ValidationError as error:
        raise refused([_fault_of(error)]) from error
    except ValueError as error:
        raise refused([Fault("", f"{error}"[:MAX_DETAIL], "invalid_schema")]) from error


def _fault_of(error: jsonschema_rs.ValidationError) -> Fault:
    where = pointer(*error.instance_path)
    if validators.is_of_pattern(error):
        return Fault(where, "is no regular expression (ECMA 262), or too large", "invalid_pattern")
    return Fault(where, error.message[:MAX_DETAIL], snake_case(error.kind.name))


def _check_cost(document: Document) -> None:
    try:
        visits, _ = cost.bound(document).of(None)
    except cost.TooComplex as error:
        raise refused([Fault("", f"is too complex: {error}", "too_complex")]) from error
    if visits > validators.MOST // 100:
        detail = "is too complex: its alternatives multiply, even for the smallest value"
        raise refused([Fault("", detail, "too_complex")])
