"""Events as they can be read again."""

from datetime import timedelta
from urllib.parse import quote

import pytest

from apps.kernel.clock import now
from tests.integration.cast import Caller, an_event

pytestmark = pytest.mark.django_db
EXACT = [
    b"123456789012345678901234567890123456789012345678901234567890",
    b'{"a":[18446744073709551616,-9223372036854775809,1.10,1E400]}',
    b'{ "spaced" : "\\u00fc\\/" }',
    b'"\xf0\x9f\x9a\x82"',
    b"null",
]


@pytest.mark.parametrize("data", EXACT)
def test_data_comes_back_to_the_byte(owner: Caller, data: bytes) -> None:
    event = an_event(owner.project, data=data)
    answer = owner.get(f"events/{event.public_id}")
    assert answer.headers["content-type"] == "application/json"
    assert answer.content.endswith(b',"data":' + data + b"}")


def test_the_fields(owner: Caller) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    event = an_event(
        owner.project, source="/billing", subject="in_42", consumer="acme", ordering_key="o", idempotency_key="k",
        schema_version=3, traceparent=trace, extensions={"a": "1"},
    )  # fmt: skip
    shown = owner.get(f"events/{event.public_id}").body
    only_in_detail = {name: shown.pop(name) for name in ("data", "traceparent", "extensions")}
    assert only_in_detail == {"data": {"id": "in_42"}, "traceparent": trace, "extensions": {"a": "1"}}
    assert shown == owner.all("events")[0]
    assert set(shown) == {
        "id", "type", "source", "subject", "time", "consumer", "ordering_key", "idempotency_key", "schema_version",
        "received_at",
        "erased_at",
    }  # fmt: skip
    assert (shown["id"], shown["type"], shown["schema_version"]) == (event.public_id, "invoice.paid", 3)
    assert shown["time"].endswith("Z")


def test_filters(owner: Caller) -> None:
    old = an_event(owner.project, type="invoice.made", received_at=now() - timedelta(days=2))
    acme = an_event(owner.project, consumer="acme")
    keyed = an_event(owner.project, idempotency_key="Key")
    yesterday = quote((now() - timedelta(days=1)).isoformat())
    expected = {
        "type=invoice.made": {old},
        "type=invoice": set(),
        "type=Invoice.made": set(),
        "consumer=acme": {acme},
        "idempotency_key=Key": {keyed},
        "idempotency_key=key": set(),
        f"received_after={yesterday}": {acme, keyed},
        f"received_before={yesterday}": {old},
        f"type=invoice.paid&received_after={yesterday}&consumer=acme": {acme},
    }
    for query, rows in expected.items():
        assert {row["id"] for row in owner.all(f"events?{query}")} == {row.public_id for row in rows}, query
