"""Signatures, checked with the library receivers use, and secrets as text."""

from base64 import b64decode, b64encode
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis.strategies import binary
from standardwebhooks import Webhook, WebhookVerificationError

from apps.destinations.kinds import SigningKey
from apps.destinations.kinds.webhook.signing import format_secret, parse_key, parse_secret, public_text, sign

BODY = '{"type": "invoice.paid", "data": {"note": "Grüße"}}'.encode()
OLD, NEW, OTHER = b"o" * 24, b"n" * 32, b"x" * 32


def headers_signed_with(*secrets: bytes, body: bytes = BODY) -> dict[str, str]:
    timestamp = int(datetime.now(UTC).timestamp())
    signature = sign([SigningKey("v1", secret) for secret in secrets], "evt_1", timestamp, body)
    return {"webhook-id": "evt_1", "webhook-timestamp": str(timestamp), "webhook-signature": signature}


def test_signs_the_specification_s_example() -> None:
    key = parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign([SigningKey("v1", key)], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
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


# v1a

SEED = b"TESTSIGNINGKEYDONOTUSETHISFORANY"


def test_signs_the_reference_library_s_asymmetric_example() -> None:
    """standard-webhooks, libraries/go/webhook_asymmetric_test.go, TestAsymmetricWebhookSign."""
    key = parse_key("whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=")
    assert key == SigningKey("v1a", SEED)
    assert sign([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}') == (
        "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="
    )


@given(seed=binary(min_size=32, max_size=32), body=binary(max_size=100))
def test_the_public_key_verifies_it_and_nothing_else(seed: bytes, body: bytes) -> None:
    version, _, encoded = sign([SigningKey("v1a", seed)], "evt_1", 7, body).partition(",")
    public = Ed25519PublicKey.from_public_bytes(b64decode(public_text(seed).removeprefix("whpk_")))
    public.verify(b64decode(encoded), b"evt_1.7." + body)
    with pytest.raises(InvalidSignature):
        public.verify(b64decode(encoded), b"evt_1.8." + body)
    assert version == "v1a"


def test_a_private_key_may_bring_its_public_one() -> None:
    public = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
    assert parse_key("whsk_" + b64encode(SEED + public).decode()) == SigningKey("v1a", SEED)
    with pytest.raises(ValueError, match="its own public key"):
        parse_key("whsk_" + b64encode(SEED + bytes(32)).decode())


@pytest.mark.parametrize("text", ["whsk_", "whsk_AAAA", "whsk_" + b64encode(bytes(33)).decode(), "whsk_" + "-_" * 22])
def test_other_texts_are_no_private_keys_and_are_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=r"must (be|hold)") as caught:
        parse_key(text)
    assert len(text) < 10 or text[5:] not in str(caught.value)


def test_both_schemes_sign_in_one_header_and_old_libraries_find_theirs() -> None:
    timestamp = int(datetime.now(UTC).timestamp())
    keys = [SigningKey("v1a", SEED), SigningKey("v1", NEW)]
    signature = sign(keys, "evt_1", timestamp, BODY)
    assert [part.partition(",")[0] for part in signature.split(" ")] == ["v1a", "v1"]
    headers = {"webhook-id": "evt_1", "webhook-timestamp": str(timestamp), "webhook-signature": signature}
    Webhook(format_secret(NEW)).verify(BODY, headers, json_parse=False)


def test_no_key_shows_itself() -> None:
    assert "TESTSIGNING" not in repr(SigningKey("v1a", SEED)) + str([SigningKey("v1", SEED)])
