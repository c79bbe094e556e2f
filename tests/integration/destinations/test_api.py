"""Destinations over REST: made, changed, held, released, deleted; and whatever is secret is shown once."""

from typing import Any

import pytest
import trustme
from pytest_django import Settings
from standardwebhooks import Webhook

from apps.accounts.models import Project
from apps.audit.models import AuditEntry
from apps.destinations import sealing
from apps.destinations.kinds.webhook.signing import parse_secret, sign
from apps.destinations.models import Consumer, Destination, Secret, Status
from apps.destinations.selectors import config_of
from apps.destinations.services import destination_disable
from apps.destinations.store import opened, sealed_targets
from apps.kernel.clock import now
from tests.integration.cast import NOWHERE, Answer, Caller, a_delivery, an_event, call
from tests.integration.config.routes import routes

pytestmark = pytest.mark.django_db
MINE = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # the example of the Standard Webhooks specification


def created(owner: Caller, **wanted: Any) -> dict[str, Any]:
    answer = owner.post("destinations", {"url": NOWHERE, **wanted})
    assert answer.status == 201, answer.content
    body: dict[str, Any] = answer.body
    return body


def test_what_the_contract_says(owner: Caller) -> None:
    made = created(owner, kind="webhook", event_types=["invoice.*"], consumer="acme", name="Acme's")
    assert made["id"].startswith("dst_")
    assert len(parse_secret(made.pop("secret"))) == 32
    assert made == owner.get(f"destinations/{made['id']}").body == owner.get("destinations").body["data"][0]
    assert (made["kind"], made["url"], made["event_types"]) == ("webhook", NOWHERE, ["invoice.*"])
    assert (made["consumer"], made["name"]) == ("acme", "Acme's")
    assert (made["status"], made["status_reason"]) == ("enabled", "")
    assert Consumer.objects.get(project=owner.project).key == "acme"  # an unknown key makes that consumer


def test_the_least_one_can_say(owner: Caller) -> None:
    made = created(owner)
    assert (made["kind"], made["event_types"], made["consumer"], made["headers"]) == ("webhook", ["*"], None, {})


@pytest.mark.parametrize("by", ["key", "id"])
def test_a_consumer_is_named_by_key_or_id(owner: Caller, by: str) -> None:
    consumer = owner.post("consumers", {"key": "acme"}).body
    assert created(owner, consumer=consumer[by])["consumer"] == "acme"
    assert Consumer.objects.count() == 1


WRONG: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"url": None}, [("/url", "required")]),
    ({"url": "ftp://example.com"}, [("/url", "scheme_not_allowed")]),
    ({"kind": "telegraph"}, [("/kind", "invalid_choice")]),
    ({"event_types": []}, [("/event_types", "min_length")]),
    ({"event_types": ["*"] * 101}, [("/event_types", "max_length")]),
    ({"event_types": ["a", "a..b", 7, "*x"]}, [("/event_types/1", "invalid"), ("/event_types/3", "invalid")]),
    ({"event_types": "invoice.*"}, [("/event_types", "not_a_list")]),
    ({"consumer": "con_01h455vb4pex5vsknk084sn02q"}, [("/consumer", "not_found")]),
    ({"consumer": "x" * 129}, [("/consumer", "max_length")]),
    ({"consumer": "a\nb"}, [("/consumer", "invalid")]),
    ({"secret": "whsec_short"}, [("/secret", "invalid")]),
    ({"secret": "hunter2"}, [("/secret", "invalid")]),
    ({"status": "paused"}, [("/status", "unknown_field")]),
    ({"method": "PUT"}, [("/method", "unknown_field")]),
    ({"headers": {"Host": "x"}}, [("/headers/Host", "reserved")]),
    ({"auth": {"type": "basic", "username": "hunter2"}}, [("/auth/password", "required")]),
    ({"auth": {"type": "bearer", "token": "hunter2 "}}, [("/auth/token", "invalid")]),
    ({"proxy": "socks5://me:hunter2@proxy.example:1080"}, [("/proxy", "invalid")]),
    ({"proxy": "http://me:hunter2@10.0.0.1:3128"}, [("/proxy", "address_refused")]),
    (
        {"tls": {"certificate": "hunter2", "private_key": "hunter2"}},
        [("/tls/certificate", "invalid"), ("/tls/private_key", "invalid")],
    ),
]


@pytest.mark.parametrize(("wanted", "faults"), WRONG, ids=[str(wanted)[:40] for wanted, _ in WRONG])
def test_what_no_destination_can_be(owner: Caller, wanted: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    answer = owner.post("destinations", {"url": NOWHERE, **wanted})
    assert (answer.status, answer.faults) == (422, faults)
    assert b"hunter2" not in answer.content  # a secret is never quoted
    assert not Destination.objects.exists()
    assert not Consumer.objects.exists()


def test_addresses_that_are_not_public_are_refused(owner: Caller, settings: Settings) -> None:
    settings.TRUNKLINE_ALLOWED_NETWORKS = ()
    for url in (
        "http://127.0.0.1/",
        "http://10.0.0.1/",
        "http://[::1]/",
        "http://169.254.169.254/",
        "http://localhost/",
    ):
        answer = owner.post("destinations", {"url": url})
        assert answer.status == 422, url
        assert [pointer for pointer, _ in answer.faults] == ["/url"]


# The receiver


def test_a_receiver_s_credentials_are_kept_and_not_shown(owner: Caller) -> None:
    auth = {"type": "oauth2", "token_url": NOWHERE, "client_id": "me", "client_secret": "hunter2", "scopes": ["a"]}
    leaf = trustme.CA().issue_cert("me@client.example", common_name="Acme")
    chain, key = leaf.cert_chain_pems[0].bytes().decode(), leaf.private_key_pem.bytes().decode()
    tls, proxy = {"certificate": chain, "private_key": key}, "http://me:hunter2@127.0.0.1:9"
    made = created(owner, url="https://127.0.0.1:9/hook", auth=auth, tls=tls, proxy=proxy)
    assert made["auth"] == {**auth, "client_secret": "********"}
    assert made["proxy"] == "http://me:********@127.0.0.1:9"
    assert set(made["tls"]) == {"subject", "expires_at", "fingerprint", "has_ca"}
    path = f"destinations/{made['id']}"
    for answer in (owner.get(path), owner.get("destinations")):
        assert b"hunter2" not in answer.content
        assert b"PRIVATE KEY" not in answer.content
    assert owner.patch(path, {"name": "b"}).body["auth"] == made["auth"]
    moved = owner.patch(path, {"url": "https://127.0.0.2:9/"})
    assert moved.faults == [("/auth", "required"), ("/tls", "required")]
    assert owner.patch(path, {"auth": made["auth"]}).faults == [("/auth/client_secret", "masked")]
    gone = owner.patch(path, {"auth": None, "tls": None, "proxy": None}).body
    assert not {"auth", "tls", "proxy"} & set(gone)
    assert config_of(Destination.objects.get()) == {"url": "https://127.0.0.1:9/hook", "headers": {}}
    assert "hunter2" not in str(list(AuditEntry.objects.values()))


def test_names_of_token_endpoints_and_proxies_are_vetted(owner: Caller, settings: Settings) -> None:
    settings.TRUNKLINE_ALLOWED_NETWORKS = ()
    auth = {"type": "oauth2", "client_id": "me", "client_secret": "x"}
    url = "http://1.1.1.1/"
    for wanted, pointer in (
        ({"auth": {**auth, "token_url": "http://127.0.0.1/"}}, "/auth/token_url"),
        ({"proxy": "http://localhost:3128"}, "/proxy"),
    ):
        assert [at for at, _ in owner.post("destinations", {"url": url, **wanted}).faults] == [pointer]


def test_the_document_has_the_fields_and_says_which_are_secret(owner: Caller) -> None:
    document = call("GET", "schema?format=json").body
    properties = document["components"]["schemas"]["Destination"]["properties"]
    assert {"url", "headers", "auth", "tls", "proxy"} <= set(properties)
    assert properties["auth"]["properties"]["client_secret"]["writeOnly"]
    assert properties["tls"]["properties"]["private_key"]["writeOnly"]


# Changing


def test_change_what_is_given_and_nothing_else(owner: Caller) -> None:
    made = created(owner, name="a", event_types=["a"], headers={"X-Token": "hunter2"})
    path = f"destinations/{made['id']}"
    changes: list[dict[str, Any]] = [
        {"name": "b"},
        {"event_types": ["b", "c.*"]},
        {"url": "http://127.0.0.1:9/elsewhere"},
        {"headers": {"x-other": "v"}},
        {},
    ]
    shown = {name: value for name, value in made.items() if name != "secret"}
    for change in changes:
        shown |= change
        if "headers" in change:
            shown["headers"] = {"x-other": "********"}
        answer = owner.patch(path, change)
        assert answer.status == 200, answer.content
        shown["updated_at"] = answer.body["updated_at"]
        assert answer.body == owner.get(path).body == shown
    row = Destination.objects.get()
    assert config_of(row) == {"url": "http://127.0.0.1:9/elsewhere", "headers": {"x-other": "v"}}


FIXED = [
    ({"consumer": "acme"}, ("/consumer", "immutable")),
    ({"secret": MINE}, ("/secret", "immutable")),
    ({"kind": "telegraph"}, ("/kind", "invalid_choice")),
    ({"id": "dst_01h455vb4pex5vsknk084sn02q"}, ("/id", "unknown_field")),
    ({"event_types": []}, ("/event_types", "min_length")),
    ({"url": "nonsense"}, ("/url", "scheme_not_allowed")),
    ({"headers": {"x": "********"}}, ("/headers/x", "masked")),
]


@pytest.mark.parametrize(("change", "fault"), FIXED, ids=[str(change)[:30] for change, _ in FIXED])
def test_what_cannot_be_changed(owner: Caller, change: dict[str, Any], fault: tuple[str, str]) -> None:
    made = created(owner)
    before = owner.get(f"destinations/{made['id']}").body
    answer = owner.patch(f"destinations/{made['id']}", change)
    assert (answer.status, answer.faults) == (422, [fault])
    assert owner.get(f"destinations/{made['id']}").body == before


# Secrets


def everything_shown(owner: Caller, ids: dict[str, str]) -> list[Answer]:
    """Every GET of the API, on these ids."""
    gets = [route for route in routes() if route.method == "GET"]
    answers = [owner.get(route.at(ids.get(route.prefix, "none"))) for route in gets]
    assert sum(answer.status == 200 for answer in answers) > 10
    return answers


def test_secrets_are_shown_once_and_never_again(owner: Caller) -> None:
    made = created(owner, headers={"Authorization": "Bearer hunter2-token"})
    destination, first = Destination.objects.get(), made["secret"]
    second = owner.post(f"destinations/{made['id']}/rotate-secret").body["secret"]
    third = owner.post(f"destinations/{made['id']}/rotate-secret", {"secret": MINE}).body["secret"]
    assert third == MINE
    row = a_delivery(an_event(owner.project), destination)
    ids = {"dst": made["id"], "evt": row.event.public_id, "dlv": row.public_id}
    answers = [
        *everything_shown(owner, ids),
        owner.patch(f"destinations/{made['id']}", {"name": "x"}),
        owner.post(f"destinations/{made['id']}/pause"),
        owner.post(f"destinations/{made['id']}/resume"),
    ]
    stored = str([*Destination.objects.values(), *Secret.objects.values(), *AuditEntry.objects.values()])
    for secret in (first, second, third, "hunter2-token"):
        bare = secret.removeprefix("whsec_")
        assert not [answer for answer in answers if bare.encode() in answer.content]
        assert bare not in stored


def test_an_answer_with_a_secret_is_not_to_be_cached(owner: Caller) -> None:
    answer = owner.post("destinations", {"url": NOWHERE})
    rotated = owner.post(f"destinations/{answer.body['id']}/rotate-secret")
    assert answer.headers["cache-control"] == rotated.headers["cache-control"] == "no-store"


def test_ones_own_secret_signs(owner: Caller) -> None:
    made = created(owner, secret=MINE)
    assert made["secret"] == MINE
    destination = Destination.objects.get()
    target = opened(destination.pk, sealed_targets([destination.pk])[destination.pk])
    timestamp = int(now().timestamp())
    headers = {
        "webhook-id": "evt_x",
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(target.secrets, "evt_x", timestamp, b"{}"),
    }
    Webhook(MINE).verify(b"{}", headers)


# Holding, releasing, deleting


def test_pause_and_resume(owner: Caller) -> None:
    path = f"destinations/{created(owner)['id']}"
    paused = owner.post(f"{path}/pause").body
    assert (paused["status"], paused["status_reason"]) == ("paused", "paused_by_person")
    assert [row["status"] for row in owner.all("destinations?status=paused")] == ["paused"]
    resumed = owner.post(f"{path}/resume").body
    assert (resumed["status"], resumed["status_reason"]) == ("enabled", "")
    assert resumed["status_at"] > paused["status_at"]
    assert owner.all("destinations?status=paused") == []


def test_resume_releases_what_trunkline_disabled(owner: Caller) -> None:
    made = created(owner)
    destination_disable(destination_id=Destination.objects.get().pk, reason="gone")
    assert owner.get(f"destinations/{made['id']}").body["status_reason"] == "gone"
    assert owner.post(f"destinations/{made['id']}/resume").body["status"] == "enabled"


def test_deleted_it_is_gone_from_everywhere_and_its_secrets_are_erased(owner: Caller) -> None:
    made = created(owner, headers={"x-token": "hunter2"})
    path = f"destinations/{made['id']}"
    assert owner.delete(path).status == 204
    assert owner.all("destinations") == []
    for answer in (owner.get(path), owner.patch(path, {}), owner.delete(path), owner.post(f"{path}/resume")):
        assert answer.status == 404
    assert not Secret.objects.exists()
    row = Destination.objects.get()  # its deliveries of the past still name it
    assert config_of(row) == {}


def test_the_audit_trail_follows(owner: Caller, project: Project) -> None:
    path = f"destinations/{created(owner)['id']}"
    for action in ("pause", "resume", "rotate-secret"):
        owner.post(f"{path}/{action}")
    owner.patch(path, {"name": "x"})
    owner.delete(path)
    entries = AuditEntry.objects.filter(project_id=project.pk, target=path.partition("/")[2]).order_by("at")
    assert [entry.action for entry in entries] == [
        "destination.created", "destination.paused", "destination.enabled", "destination.secret_rotated",
        "destination.changed", "destination.deleted",
    ]  # fmt: skip
    assert {entry.actor_kind for entry in entries} == {"api_key"}


def test_filters(owner: Caller) -> None:
    acme, nobody = created(owner, consumer="acme"), created(owner)
    owner.post(f"destinations/{nobody['id']}/pause")
    found = {
        query: [row["id"] for row in owner.all(f"destinations?{query}")]
        for query in ("consumer=acme", "consumer=globex", "status=enabled", "status=paused", "kind=webhook", "kind=x")
    }
    assert found == {
        "consumer=acme": [acme["id"]],
        "consumer=globex": [],
        "status=enabled": [acme["id"]],
        "status=paused": [nobody["id"]],
        "kind=webhook": [nobody["id"], acme["id"]],
        "kind=x": [],
    }


def test_one_whose_encryption_key_is_lost_still_shows(owner: Caller, settings: Settings) -> None:
    made = created(owner)
    settings.ENCRYPTION_KEYS = (("another", bytes(32)),)
    sealing.unseal.cache_clear()
    shown = owner.get(f"destinations/{made['id']}")
    assert shown.status == 200
    assert "config_error" in shown.body
    assert owner.post(f"destinations/{made['id']}/pause").body["status"] == Status.PAUSED
