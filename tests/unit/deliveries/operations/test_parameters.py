"""What can be asked of operations, and what is said to the rest."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from apps.deliveries.models import ERASURE
from apps.deliveries.operations.kinds import ON_REQUEST
from apps.deliveries.operations.parameters import (
    Discard,
    EraseConsumer,
    Recover,
    as_stored,
    parameters_schema,
    parse_parameters,
    read_parameters,
)
from apps.kernel.errors import Invalid
from apps.kernel.ids import decode, encode

SINCE = {"since": "2026-01-01T00:00:00Z"}
DST = "dst_01h455vb4pex5vsknk084sn02q"
ALL = {**SINCE, "until": "2026-02-01T00:00:00Z", "destination": DST, "event_type": "invoice.*", "consumer": "acme"}
DELIVERIES = {**ALL, "error": "timeout", "status_code": 503}
WHOLE: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("recover", "discard", "retry", "cancel"), DELIVERIES),
    "replay": {**ALL, "subject": "42", "only_matching": True},
}


@pytest.mark.parametrize("kind", ON_REQUEST)
def test_what_is_stored_is_what_was_asked(kind: str) -> None:
    parsed = parse_parameters(kind, WHOLE[kind])
    assert as_stored(parsed) == WHOLE[kind]
    assert parse_parameters(kind, as_stored(parsed)) == parsed
    assert parsed.__struct_config__.tag == kind
    assert parsed.destination_id == decode("dst", DST)


def test_times_of_other_zones_are_the_same_times() -> None:
    parsed = parse_parameters("recover", {"since": "2026-01-01T02:00:00+02:00"})
    assert isinstance(parsed, Recover)
    assert parsed.since == datetime(2026, 1, 1, tzinfo=UTC)


WRONG: list[tuple[object, dict[str, Any], str, str]] = [
    ("recover", {}, "/since", "required"),
    ("replay", {}, "/since", "required"),
    ("recover", {"since": None}, "/since", "invalid"),
    ("recover", {"since": "2026-01-01T00:00:00"}, "/since", "invalid"),
    ("recover", {"since": 1_700_000_000}, "/since", "invalid"),
    ("recover", {"since": "0001-01-01T00:00:00+14:00"}, "/since", "invalid"),
    ("recover", {**SINCE, "until": SINCE["since"]}, "/until", "invalid"),
    ("recover", {**SINCE, "subject": "42"}, "/subject", "unknown_field"),
    ("replay", {**SINCE, "error": "timeout"}, "/error", "unknown_field"),
    ("discard", {"destination": ""}, "/destination", "invalid_id"),
    ("discard", {"destination": DST.upper()}, "/destination", "invalid_id"),
    ("discard", {"destination": "dst_81h455vb4pex5vsknk084sn02q"}, "/destination", "invalid_id"),
    ("discard", {"event_type": ""}, "/event_type", "invalid"),
    ("discard", {"event_type": "a..b"}, "/event_type", "invalid"),
    ("discard", {"event_type": "a" * 129}, "/event_type", "invalid"),
    ("discard", {"consumer": ""}, "/consumer", "invalid"),
    ("discard", {"consumer": "a\x00"}, "/consumer", "invalid"),
    ("discard", {"error": "'; DROP TABLE"}, "/error", "invalid"),
    ("discard", {"status_code": 99}, "/status_code", "invalid"),
    ("discard", {"status_code": "503"}, "/status_code", "invalid"),
    ("cancel", {}, "/destination", "invalid"),
    ("burn", {}, "/kind", "invalid"),
    (None, {}, "/kind", "invalid"),
    ({}, {}, "/kind", "invalid"),
]


@pytest.mark.parametrize(("kind", "given", "pointer", "code"), WRONG)
def test_what_is_wrong_is_pointed_at(kind: object, given: dict[str, Any], pointer: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_parameters(kind, given)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [(pointer, code)]


@pytest.mark.parametrize(
    ("given", "event", "taken"),
    [
        ({}, ("invoice.paid", ""), True),
        ({"event_type": "invoice.*"}, ("invoice.paid", "acme"), True),
        ({"event_type": "invoice.*"}, ("user.made", "acme"), False),
        ({"event_type": "invoice"}, ("invoice.paid", ""), False),
        ({"consumer": "acme"}, ("invoice.paid", "acme"), True),
        ({"consumer": "acme"}, ("invoice.paid", "Acme"), False),
        ({"consumer": "acme"}, ("invoice.paid", ""), False),
        ({"consumer": "acme", "event_type": "user.*"}, ("invoice.paid", "acme"), False),
    ],
)
def test_which_events_are_meant(given: dict[str, Any], event: tuple[str, str], taken: bool) -> None:
    assert parse_parameters("discard", given).takes(*event) is taken


def test_every_kind_is_in_the_schema_whole() -> None:
    schema = parameters_schema()
    assert sorted(one["properties"]["kind"]["enum"][0] for one in schema["oneOf"]) == sorted(ON_REQUEST)
    assert b"$ref" not in msgspec.json.encode(schema)


def test_what_is_given_out_can_not_be_changed() -> None:
    with pytest.raises(AttributeError):
        Discard().consumer = "globex"  # type: ignore[misc]


CON = "con_01h455vb4pex5vsknk084sn02q"


def test_an_erasure_is_read_and_never_posted() -> None:
    asked = read_parameters(ERASURE, {"consumer_id": CON})
    assert isinstance(asked, EraseConsumer)
    assert encode("con", asked.consumer_pk) == CON
    with pytest.raises(Invalid):
        parse_parameters(ERASURE, {"consumer_id": CON})


@pytest.mark.parametrize("stored", [{}, {"consumer_id": 7}, {"consumer_id": "acme"}, {"consumer_id": DST}])
def test_what_can_not_be_read_of_one_is_said(stored: dict[str, object]) -> None:
    with pytest.raises(Invalid, match="its parameters can't be read"):
        read_parameters(ERASURE, stored)
