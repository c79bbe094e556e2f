"""Schemes and header prefixes: asked for in the policy, given keys, rotated apart, and found in what is sent."""

from base64 import b64decode, b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook

from apps.accounts.models import Project
from apps.audit.models import AuditEntry
from apps.destinations.kinds import Message, SigningKey, Target
from apps.destinations.kinds.webhook.request import head_of
from apps.destinations.kinds.webhook.route import Route
from apps.destinations.models import Destination, Secret
from apps.destinations.policy.shape import Policy, Signing
from apps.destinations.sealing import Unsealable
from apps.destinations.store import opened, sealed_targets
from apps.kernel.ids import decode
from tests.integration.cast import NOWHERE, Caller, a_destination

pytestmark = pytest.mark.django_db

BOTH = {"signing": {"schemes": ["v1", "v1a"]}}
V1A = {"signing": {"schemes": ["v1a"]}}
MESSAGE = Message("evt_1", b'{"type": "invoice.paid"}')
ROUTE = Route("http://a:80", "a", 80, False, b"", None)
MY_SECRET = "whsec_" + b64encode(bytes(24)).decode()
MY_KEY = "whsk_" + b64encode(b"k" * 32).decode()


def created(owner: Caller, **fields: Any) -> dict[str, Any]:
    answer = owner.post("destinations", {"url": NOWHERE, **fields})
    assert answer.status == 201, answer.content
    return dict(answer.body)


def target(made: dict[str, Any]) -> Target:
    pk = decode("dst", made["id"])
    return opened(pk, sealed_targets([pk])[pk])


def headers(made: dict[str, Any]) -> dict[str, str]:
    """What would go out now, by name."""
    head = head_of(ROUTE, target(made), MESSAGE).decode()
    return dict(line.split(": ", 1) for line in head.strip().splitlines())


def schemes(made: dict[str, Any]) -> list[str]:
    return [part.partition(",")[0] for part in headers(made)["webhook-signature"].split(" ")]


def verifies(public_key: str, sent: dict[str, str], prefix: str = "webhook-") -> bool:
    """Whether one of the `v1a` signatures is that key's; with `cryptography`, as a receiver would."""
    public = Ed25519PublicKey.from_public_bytes(b64decode(public_key.removeprefix("whpk_")))
    signed = f"{sent[f'{prefix}id']}.{sent[f'{prefix}timestamp']}.".encode() + MESSAGE.body
    for part in sent[f"{prefix}signature"].split(" "):
        version, _, encoded = part.partition(",")
        if version == "v1a":
            try:
                public.verify(b64decode(encoded), signed)
            except Exception:
                continue
            return True
    return False


def test_unless_asked_it_is_v1_and_there_is_no_public_key(owner: Caller) -> None:
    made = created(owner)
    assert schemes(made) == ["v1"]
    assert made["public_keys"] == []
    Webhook(made["secret"]).verify(MESSAGE.body, headers(made))


def test_both_schemes_get_a_key_each(owner: Caller) -> None:
    made = created(owner, policy=BOTH)
    [public_key] = made["public_keys"]
    sent = headers(made)
    Webhook(made["secret"]).verify(MESSAGE.body, sent)
    assert verifies(public_key, sent)
    assert sorted(schemes(made)) == ["v1", "v1a"]


def test_public_keys_are_shown_always_and_secrets_never_again(owner: Caller) -> None:
    made = created(owner, policy=BOTH)
    seen = owner.get(f"destinations/{made['id']}").body
    assert seen["public_keys"] == made["public_keys"]
    assert "secret" not in seen
    assert [row["public_keys"] for row in owner.all("destinations")] == [made["public_keys"]]


def test_v1a_alone_has_no_secret_to_show(owner: Caller) -> None:
    made = created(owner, policy=V1A)
    assert made["secret"] is None
    assert schemes(made) == ["v1a"]
    assert verifies(made["public_keys"][0], headers(made))


def test_keys_brought_along(owner: Caller) -> None:
    made = created(owner, policy=BOTH, secret=MY_SECRET)
    assert made["secret"] == MY_SECRET
    with_key = created(owner, policy=V1A, secret=MY_KEY)
    assert target(with_key).secrets[0].key == b"k" * 32


def test_a_scheme_that_is_added_gets_a_key_at_once(owner: Caller) -> None:
    made = created(owner)
    changed = owner.patch(f"destinations/{made['id']}", {"policy": BOTH})
    [public_key] = changed.body["public_keys"]
    assert verifies(public_key, headers(made))
    Webhook(made["secret"]).verify(MESSAGE.body, headers(made))


def test_a_scheme_that_is_taken_out_signs_no_more(owner: Caller) -> None:
    made = created(owner, policy=BOTH)
    answer = owner.patch(f"destinations/{made['id']}", {"policy": V1A})
    assert answer.body["public_keys"] == made["public_keys"]
    assert schemes(made) == ["v1a"]
    owner.patch(f"destinations/{made['id']}", {"policy": {"signing": None}})
    assert schemes(made) == ["v1"]
    Webhook(made["secret"]).verify(MESSAGE.body, headers(made))


def test_a_rotation_is_of_all_schemes(owner: Caller) -> None:
    made = created(owner, policy=BOTH)
    answer = owner.post(f"destinations/{made['id']}/rotate-secret", {})
    assert set(answer.body) == {"secret", "public_key"}
    sent = headers(made)
    for secret in (made["secret"], answer.body["secret"]):
        Webhook(secret).verify(MESSAGE.body, sent)
    for public_key in (*made["public_keys"], answer.body["public_key"]):
        assert verifies(public_key, sent)
    seen = owner.get(f"destinations/{made['id']}").body["public_keys"]
    assert seen == [answer.body["public_key"], *made["public_keys"]]


@pytest.mark.parametrize(("scheme", "shown"), [("v1", {"secret"}), ("v1a", {"public_key"})])
def test_a_rotation_may_be_of_one(owner: Caller, scheme: str, shown: set[str]) -> None:
    made = created(owner, policy=BOTH)
    answer = owner.post(f"destinations/{made['id']}/rotate-secret", {"scheme": scheme, "overlap_seconds": 0})
    assert set(answer.body) == shown
    kept = owner.get(f"destinations/{made['id']}").body["public_keys"]
    assert (kept == made["public_keys"]) == (scheme == "v1")
    assert sorted(schemes(made)) == ["v1", "v1a"]
    changes = AuditEntry.objects.get(action="destination.secret_rotated").changes
    assert changes["schemes"] == [scheme]


def test_a_rotation_to_a_key_brought_along_is_of_its_scheme(owner: Caller) -> None:
    made = created(owner, policy=BOTH)
    answer = owner.post(f"destinations/{made['id']}/rotate-secret", {"secret": MY_KEY})
    assert set(answer.body) == {"public_key"}


WRONG = [
    ({"secret": MY_KEY}, "v1", ("/secret", "invalid")),
    ({"secret": MY_SECRET}, "v1a", ("/secret", "invalid")),
    ({"secret": MY_KEY, "scheme": "v1"}, "both", ("/secret", "invalid")),
    ({"scheme": "v1a"}, "v1", ("/scheme", "invalid")),
    ({"scheme": "v2"}, "v1", ("/scheme", "invalid_choice")),
]


@pytest.mark.parametrize(("body", "signing", "fault"), WRONG)
def test_what_no_rotation_can_be(owner: Caller, body: object, signing: str, fault: tuple[str, str]) -> None:
    made = created(owner, policy={"v1": {}, "v1a": V1A, "both": BOTH}[signing])
    before = Secret.objects.count()
    answer = owner.post(f"destinations/{made['id']}/rotate-secret", body)
    assert (answer.status, answer.faults) == (422, [fault])
    assert Secret.objects.count() == before


def test_a_key_of_a_scheme_that_is_not_asked_for_is_refused(owner: Caller) -> None:
    answer = owner.post("destinations", {"url": NOWHERE, "secret": MY_KEY})
    assert (answer.status, answer.faults) == (422, [("/secret", "invalid")])
    assert not Destination.objects.exists()


def test_five_of_a_scheme_and_the_other_s_stay(owner: Caller) -> None:
    made = created(owner, policy=BOTH)
    for _ in range(6):
        owner.post(f"destinations/{made['id']}/rotate-secret", {"scheme": "v1"})
    assert sorted(schemes(made)) == ["v1"] * 5 + ["v1a"]


def test_nothing_goes_out_unsigned(project: Project) -> None:
    destination = a_destination(project)
    Destination.objects.update(policy=V1A)  # by hand: a key of that scheme was never made
    with pytest.raises(Unsealable):
        opened(destination.pk, sealed_targets([destination.pk])[destination.pk])


# The header prefix


def test_another_provider_s_header_names(owner: Caller) -> None:
    made = created(owner, policy={"signing": {"header_prefix": "svix-", "schemes": ["v1", "v1a"]}})
    sent = headers(made)
    assert {"svix-id", "svix-timestamp", "svix-signature"} <= set(sent)
    assert not [name for name in sent if name.startswith("webhook-")]
    as_standard = {name.replace("svix-", "webhook-"): value for name, value in sent.items()}
    Webhook(made["secret"]).verify(MESSAGE.body, as_standard)
    assert verifies(made["public_keys"][0], sent, "svix-")


@pytest.mark.parametrize("prefix", ["x-", "ce-", "proxy-"])
def test_a_prefix_must_not_meet_other_headers(owner: Caller, prefix: str) -> None:
    fields = {"headers": {"X-Id": "7"}, "policy": {"signing": {"header_prefix": prefix}}}
    answer = owner.post("destinations", {"url": NOWHERE, **fields})
    assert (answer.status, answer.faults) == (422, [("/policy/signing/header_prefix", "duplicate")])


def test_neither_later(owner: Caller) -> None:
    prefixed = created(owner, policy={"signing": {"header_prefix": "x-"}})
    answer = owner.patch(f"destinations/{prefixed['id']}", {"headers": {"x-signature": "mine"}})
    assert (answer.status, answer.faults) == (422, [("/policy/signing/header_prefix", "duplicate")])
    headed = created(owner, headers={"x-timestamp": "mine"})
    answer = owner.patch(f"destinations/{headed['id']}", {"policy": {"signing": {"header_prefix": "x-"}}})
    assert (answer.status, answer.faults) == (422, [("/policy/signing/header_prefix", "duplicate")])


@pytest.mark.parametrize("prefix", ["", "Svix-", "svix", "svix -", "s\r\nx-", "-", "svix-\n"])
def test_what_is_no_prefix(owner: Caller, prefix: str) -> None:
    answer = owner.post("destinations", {"url": NOWHERE, "policy": {"signing": {"header_prefix": prefix}}})
    assert (answer.status, answer.faults) == (422, [("/policy/signing/header_prefix", "invalid")])


@pytest.mark.parametrize("prefix", ["svix-\n", "x: y\r\nsvix-", "svix-\r\n\r\n"])
def test_a_stored_prefix_is_judged_again(prefix: str) -> None:
    policy = Policy(signing=Signing(header_prefix=prefix))
    with pytest.raises(ValueError, match="prefix"):
        head_of(ROUTE, Target("dst_1", {}, (SigningKey("v1", bytes(24)),), policy=policy), MESSAGE)
