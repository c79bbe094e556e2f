"""The body of a delivery: valid JSON, the same bytes each time, and verified by the receivers' own library."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from apps.deliveries.payload import webhook_body
from apps.destinations.kinds import SigningKey
from apps.destinations.kinds.webhook.signing import format_secret, sign
from apps.kernel.clock import now

TIME = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=10,
)


def test_the_bytes() -> None:
    """To the byte, because signatures and receivers' caches depend on them."""
    body = webhook_body("invoice.paid", TIME, b'{"amount": 1.10,"big":123456789012345678901234567890}')
    assert body == (
        b'{"type":"invoice.paid","timestamp":"2026-03-01T12:00:00.250000Z",'
        b'"data":{"amount": 1.10,"big":123456789012345678901234567890}}'
    )


def test_the_same_moment_in_another_zone_is_the_same_body() -> None:
    elsewhere = TIME.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert webhook_body("a", elsewhere, b"1") == webhook_body("a", TIME, b"1")


@given(st.from_regex(r"\A[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\Z"), st.datetimes(timezones=st.just(UTC)), values)
def test_any_event_makes_json_of_three_members(event_type: str, time: datetime, data: Any) -> None:
    raw = json.dumps(data).encode()
    body = webhook_body(event_type, time, raw)
    read = json.loads(body)
    assert list(read) == ["type", "timestamp", "data"]
    assert (read["type"], datetime.fromisoformat(read["timestamp"])) == (event_type, time)
    assert json.dumps(read["data"]).encode() == raw
    assert body == webhook_body(event_type, time, raw)


def test_receivers_verify_it_with_any_live_secret() -> None:
    secrets = (bytes(range(32)), bytes(range(32, 64)))
    body, timestamp = webhook_body("invoice.paid", TIME, b'{"id":"in_42"}'), int(now().timestamp())
    headers = {
        "webhook-id": "evt_01h455vb4pex5vsknk084sn02q",
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(
            [SigningKey("v1", secret) for secret in secrets], "evt_01h455vb4pex5vsknk084sn02q", timestamp, body
        ),
    }
    for secret in secrets:
        assert Webhook(format_secret(secret)).verify(body, headers)["data"] == {"id": "in_42"}
    with pytest.raises(WebhookVerificationError):
        Webhook(format_secret(bytes(32))).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(format_secret(secrets[0])).verify(body + b" ", headers)
