"""Whether a submission may come in: its type, its schema, and what the project requires."""

from apps.events import schemas
from apps.intake.catalog import Catalog
from apps.intake.submission import Submission
from apps.kernel import strict_json
from apps.kernel.errors import Fault, Invalid


def schema_version(catalog: Catalog, submission: Submission, *, registered_only: bool) -> int | None:
    """The version the data was held against, None where there is no schema; raises Invalid with pointers."""
    registered = catalog.types.get(submission.type)
    if registered is None:
        _refuse_unregistered(submission, registered_only=registered_only)
        return None
    if not registered.newest:
        return None
    version = _named_version(registered.newest, submission.dataschema)
    text = catalog.schema_text(registered.id, version)
    if text is None:  # deleted since the catalog was read
        _refuse_unregistered(submission, registered_only=registered_only)
        return None
    data = strict_json.decode(submission.data)
    faults = schemas.faults(schemas.validator(text), data, size=len(submission.data))
    if faults:
        detail = f"data does not match version {version} of the schema of {submission.type}"
        raise Invalid(detail, code="schema_mismatch", faults=faults)
    return version


def _refuse_unregistered(submission: Submission, *, registered_only: bool) -> None:
    if registered_only:
        detail = f"the event type {submission.type} is not registered, and this project requires it"
        fault = Fault("/type", "is not registered", "unregistered_type")
        raise Invalid(detail, code="unregistered_type", faults=[fault])


def _named_version(newest: int, dataschema: str) -> int:
    """`dataschema` names a version by its number, alone or as the last part of a URI: `2`, `…/invoice.paid/2`.

    Any other URI is the producer's own business, and the newest version counts.
    """
    last = dataschema.rstrip("/").rpartition("/")[2].removeprefix("v")
    if not (last.isascii() and last.isdigit()):
        return newest
    version = int(last[:9])
    if not 1 <= version <= newest:
        fault = Fault("/dataschema", f"there is no version {version}; the newest is {newest}", "unknown_version")
        raise Invalid(fault.detail, code="unknown_version", faults=[fault])
    return version
