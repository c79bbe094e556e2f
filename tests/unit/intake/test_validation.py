"""Which schema an event is held against, and what is said when it doesn't match."""

import json
from typing import Any
from uuid import UUID

import pytest

from apps.events.selectors import RegisteredType
from apps.intake.catalog import Catalog
from apps.intake.submission import Submission
from apps.intake.validation import schema_version
from apps.kernel.errors import Invalid


def wanting(field: str) -> str:
    return json.dumps({"type": "object", "required": [field], "properties": {field: {"type": "integer"}}})


PAID, BARE, ANY, GONE = (RegisteredType(UUID(int=number), newest) for number, newest in enumerate((10, 0, 1, 1)))
TEXTS = {(PAID.id, 1): wanting("one"), (PAID.id, 2): wanting("two"), (PAID.id, 10): wanting("ten"), (ANY.id, 1): "true"}
CATALOG = Catalog(
    version=1,
    types={"invoice.paid": PAID, "bare": BARE, "any": ANY, "gone": GONE},
    subscriptions=(),
    schema_text=lambda type_id, version: TEXTS.get((type_id, version)),
)


def version(event_type: str, data: object, dataschema: str = "", *, registered_only: bool = False) -> int | None:
    submission = Submission(type=event_type, data=json.dumps(data).encode(), dataschema=dataschema)
    return schema_version(CATALOG, submission, registered_only=registered_only)


NAMED = [
    ("", {"ten": 1}, 10),  # the newest, by number and not by text
    ("1", {"one": 1}, 1),
    ("v2", {"two": 1}, 2),
    ("https://example.com/schemas/invoice.paid/2", {"two": 1}, 2),
    ("https://example.com/schemas/invoice.paid/v2/", {"two": 1}, 2),
    ("https://example.com/schemas/invoice.paid", {"ten": 1}, 10),  # the producer's own business
    ("urn:schema:2", {"ten": 1}, 10),
    ("٢", {"ten": 1}, 10),  # a two, but not one of ours
]


@pytest.mark.parametrize(("dataschema", "data", "expected"), NAMED)
def test_the_version_an_event_names(dataschema: str, data: object, expected: int) -> None:
    assert version("invoice.paid", data, dataschema) == expected


@pytest.mark.parametrize("dataschema", ["11", "0", "https://example.com/99999999999999999999"])
def test_a_version_there_is_not(dataschema: str) -> None:
    with pytest.raises(Invalid) as refused:
        version("invoice.paid", {"ten": 1}, dataschema)
    assert refused.value.code == "unknown_version"
    assert [fault.pointer for fault in refused.value.faults] == ["/dataschema"]
    assert "the newest is 10" in refused.value.detail


@pytest.mark.parametrize(
    ("data", "pointers"), [({}, ["/data"]), ({"ten": "x"}, ["/data/ten"]), ([], ["/data"]), (None, ["/data"])]
)
def test_what_does_not_match_is_pointed_at(data: Any, pointers: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        version("invoice.paid", data)
    assert refused.value.code == "schema_mismatch"
    assert [fault.pointer for fault in refused.value.faults] == pointers


@pytest.mark.parametrize(("event_type", "expected"), [("bare", None), ("any", 1), ("unheard.of", None), ("gone", None)])
def test_what_has_no_schema_takes_anything(event_type: str, expected: int | None) -> None:
    anything: list[Any] = [{}, [], None, "text", 10**30]
    for data in anything:
        assert version(event_type, data) == expected


@pytest.mark.parametrize("event_type", ["unheard.of", "gone"])  # the latter deleted since the catalog was read
def test_registered_only(event_type: str) -> None:
    assert version("bare", {}, registered_only=True) is None
    with pytest.raises(Invalid) as refused:
        version(event_type, {}, registered_only=True)
    assert refused.value.code == "unregistered_type"
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [("/type", "unregistered_type")]


def test_an_unregistered_type_may_name_any_schema() -> None:
    assert version("unheard.of", {}, "https://example.com/7") is None
