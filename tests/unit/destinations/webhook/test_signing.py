"""Signatures, checked with the library receivers use, and secrets as text."""

from base64 import b64encode
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis.strategies import binary
from standardwebhooks import Webhook, WebhookVerificationError

from apps.destinations.kinds.webhook.signing import format_secret, parse_secret, sign

BODY = '{"type": "invoice.paid", "data": {"note": "Grüße"}}'.encode()
OLD, NEW, OTHER = b"o" * 24, b"n" * 32, b"x" * 32


def headers_signed_with(*secrets: bytes, body: bytes = BODY) -> dict[str, str]:
    timestamp = int(datetime.now(UTC).timestamp())
    signature = sign(secrets, "evt_1", timestamp, body)
    return {"webhook-id": "evt_1", "webhook-timestamp": str(timestamp), "webhook-signature": signature}


def test_signs_the_specification_s_example() -> None:
    key = parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_verifies_it() -> None:
    Webhook(format_secret(NEW)).verify(BODY, headers_signed_with(NEW), json_parse=False)


@given(key=binary(min_size=24, max_size=64))
def test_every_secret_verifies_and_survives_as_text(key: bytes) -> None:
    assert parse_secret(format_secret(key)) == key
    Webhook(format_secret(key)).verify(BODY, headers_signed_with(key), json_parse=False)


@pytest.mark.parametrize("known", [OLD, NEW])
def test_during_a_rotation_old_and_new_receivers_verify_it(known: bytes) -> None:
    headers = headers_signed_with(NEW, OLD)
    assert len(headers["webhook-signature"].split(" ")) == 2
    Webhook(format_secret(known)).verify(BODY, headers, json_parse=False)


@pytest.mark.parametrize(
    ("secret", "body"), [(OTHER, BODY), (NEW, BODY + b" "), (NEW, b"")], ids=["secret", "body", "empty"]
)
def test_anything_else_fails_verification(secret: bytes, body: bytes) -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(format_secret(secret)).verify(body, headers_signed_with(NEW), json_parse=False)


def test_secrets_are_read_with_and_without_padding() -> None:
    padded = format_secret(b"k" * 25)
    assert padded.endswith("=")
    assert parse_secret(padded) == parse_secret(padded.rstrip("=")) == b"k" * 25


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        b64encode(NEW).decode(),
        "WHSEC_" + b64encode(NEW).decode(),
        "whsec_" + b64encode(b"k" * 23).decode(),
        "whsec_" + b64encode(b"k" * 65).decode(),
        "whsec_" + "ü" * 40,
        "whsec_" + "-_" * 20,
        "whsec_ " + b64encode(NEW).decode(),
    ],
)
def test_other_texts_are_no_secrets_and_are_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=r"must (start|be|hold)") as caught:
        parse_secret(text)
    assert len(text) < 10 or text[6:] not in str(caught.value)
