"""What a webhook may say of its receiver's authentication, certificates and proxy; and what is shown of it."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_network
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from apps.destinations.egress import EgressPolicy
from apps.destinations.kinds.webhook import KIND
from apps.destinations.kinds.webhook.auth import MASK
from apps.destinations.kinds.webhook.config import clean, masked
from apps.kernel.errors import Invalid

URL = "https://example.com/hook"
POLICY = EgressPolicy((ip_network("127.0.0.0/8"),))
NOW = datetime.now(UTC)
DAY = timedelta(days=1)
BASIC = {"type": "basic", "username": "me", "password": "s3cret"}
BEARER = {"type": "bearer", "token": "s3cret"}
OAUTH2 = {
    "type": "oauth2",
    "token_url": "https://login.example/token",
    "client_id": "me",
    "client_secret": "s3cret",
    "scopes": ["read", "write"],
    "audience": "hooks",
    "style": "post",
}


@cache
def authority() -> trustme.CA:
    return trustme.CA()


def own(leaf: trustme.LeafCert | None = None) -> dict[str, str]:
    leaf = leaf or authority().issue_cert("me@client.example", common_name="me")
    chain = "".join(pem.bytes().decode() for pem in leaf.cert_chain_pems)
    return {"certificate": chain, "private_key": leaf.private_key_pem.bytes().decode()}


def cleaned(**more: Any) -> dict[str, Any]:
    return clean({"url": URL, **more}, POLICY)


def faults_in(**more: Any) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        cleaned(**more)
    assert "s3cret" not in str([caught.value.as_dict(), caught.value.faults])
    return [(fault.pointer, fault.code) for fault in caught.value.faults]


GOOD: list[dict[str, Any]] = [
    {"auth": BASIC},
    {"auth": {**BASIC, "username": "ünder", "password": ""}},
    {"auth": BEARER},
    {"auth": OAUTH2},
    {"auth": {name: OAUTH2[name] for name in ("type", "token_url", "client_id", "client_secret")}},
    {"proxy": "http://proxy.example:3128"},
    {"proxy": "http://me:s3cret@127.0.0.1:8080"},
    {"proxy": "http://me:s3%40cret@[2606:4700::1]:8080/"},
]


@pytest.mark.parametrize("more", GOOD)
def test_what_is_fine_is_stored_as_it_is(more: dict[str, Any]) -> None:
    stored = cleaned(**more)
    assert stored == {"url": URL, "headers": {}, **more}
    assert clean(stored, POLICY) == stored


def test_nothing_is_stored_for_null() -> None:
    assert cleaned(auth=None, tls=None, proxy=None) == {"url": URL, "headers": {}}


WRONG: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"auth": "s3cret"}, [("/auth", "invalid")]),
    ({"auth": {}}, [("/auth/type", "invalid")]),
    ({"auth": {"type": "s3cret"}}, [("/auth/type", "invalid")]),
    ({"auth": {"type": ["basic"]}}, [("/auth/type", "invalid")]),
    ({"auth": {"type": "basic"}}, [("/auth/username", "required"), ("/auth/password", "required")]),
    ({"auth": {**BASIC, "username": "a:b"}}, [("/auth/username", "invalid")]),
    ({"auth": {**BASIC, "password": "s3cret\r\nx: y"}}, [("/auth/password", "invalid")]),
    ({"auth": {**BASIC, "password": 7}}, [("/auth/password", "invalid")]),
    ({"auth": {**BASIC, "password": MASK}}, [("/auth/password", "masked")]),
    ({"auth": {**BASIC, "token": "s3cret"}}, [("/auth", "unknown_field")]),
    ({"auth": {"type": "bearer", "token": "s3cret with spaces"}}, [("/auth/token", "invalid")]),
    ({"auth": {"type": "bearer", "token": "s3cret\n"}}, [("/auth/token", "invalid")]),
    ({"auth": {"type": "bearer", "token": "s3crét"}}, [("/auth/token", "invalid")]),
    ({"auth": {"type": "bearer", "token": MASK}}, [("/auth/token", "masked")]),
    ({"auth": {**OAUTH2, "token_url": None}}, [("/auth/token_url", "required")]),
    ({"auth": {**OAUTH2, "token_url": "http://10.0.0.1/"}}, [("/auth/token_url", "address_refused")]),
    ({"auth": {**OAUTH2, "token_url": "https://me:s3cret@a.example/"}}, [("/auth/token_url", "userinfo_not_allowed")]),
    ({"auth": {**OAUTH2, "token_url": "ftp://a.example/"}}, [("/auth/token_url", "scheme_not_allowed")]),
    ({"auth": {**OAUTH2, "client_secret": MASK}}, [("/auth/client_secret", "masked")]),
    ({"auth": {**OAUTH2, "scopes": "read"}}, [("/auth/scopes", "invalid")]),
    ({"auth": {**OAUTH2, "scopes": ["read write"]}}, [("/auth/scopes", "invalid")]),
    ({"auth": {**OAUTH2, "style": "other"}}, [("/auth/style", "invalid")]),
    ({"auth": {**OAUTH2, "audience": "a\x00"}}, [("/auth/audience", "invalid")]),
    ({"auth": BEARER, "headers": {"Authorization": "x"}}, [("/headers/authorization", "conflict")]),
    ({"proxy": 7}, [("/proxy", "invalid")]),
    ({"proxy": "https://me:s3cret@proxy.example:3128"}, [("/proxy", "invalid")]),
    ({"proxy": "socks5://proxy.example:1080"}, [("/proxy", "invalid")]),
    ({"proxy": "http://proxy.example"}, [("/proxy", "invalid")]),
    ({"proxy": "http://proxy.example:3128/path"}, [("/proxy", "invalid")]),
    ({"proxy": "http://me:s3cret%0d%0ax@proxy.example:3128"}, [("/proxy", "invalid")]),
    ({"proxy": "http://me:s3cret@proxy.example:99999"}, [("/proxy", "invalid")]),
    ({"proxy": "http://10.0.0.1:3128"}, [("/proxy", "address_refused")]),
    ({"proxy": "http://0x7f.1:s3cret@169.254.169.254:80"}, [("/proxy", "address_refused")]),
    ({"proxy": f"http://me:{MASK}@proxy.example:3128"}, [("/proxy", "masked")]),
    ({"tls": "x"}, [("/tls", "invalid")]),
    ({"tls": {}}, [("/tls/certificate", "required"), ("/tls/private_key", "required")]),
    ({"tls": {"certificate": "s3cret", "private_key": "s3cret"}}, [("/tls/certificate", "invalid")]),
    ({"tls": {"subject": "me"}}, [("/tls/subject", "unknown_field")]),
]


@pytest.mark.parametrize(("more", "expected"), WRONG)
def test_what_is_wrong_is_pointed_to(more: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    found = faults_in(**more)
    assert found[: len(expected)] == expected


def test_a_client_certificate_is_kept_in_one_form() -> None:
    tls = {**own(), "ca": "rubbish before\n" + authority().cert_pem.bytes().decode()}
    stored = cleaned(tls=tls)["tls"]
    assert stored["ca"] == authority().cert_pem.bytes().decode()
    assert stored["private_key"].startswith("-----BEGIN PRIVATE KEY-----")
    assert cleaned(tls=stored)["tls"] == stored


def test_what_is_not_fine_together() -> None:
    assert faults_in(url="http://example.com/", tls=own()) == [("/tls", "conflict")]
    assert faults_in(headers={"CE-Id": "mine"}) == [("/headers/ce-id", "reserved")]


def test_an_expired_certificate() -> None:
    ended = authority().issue_cert("me@client.example", not_before=NOW - 9 * DAY, not_after=NOW - DAY)
    assert faults_in(tls=own(ended)) == [("/tls/certificate", "expired")]


def test_the_key_of_another() -> None:
    assert faults_in(tls={**own(), "private_key": own()["private_key"]}) == [("/tls/private_key", "mismatch")]


def test_a_key_where_the_certificate_belongs() -> None:
    mine = own()
    both = mine["certificate"] + mine["private_key"]
    assert faults_in(tls={**mine, "certificate": both}) == [("/tls/certificate", "invalid")]


def test_an_encrypted_key() -> None:
    key = generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"s3cret")).decode()
    assert faults_in(tls={**own(), "private_key": pem}) == [("/tls/private_key", "invalid")]


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_key_in_either_form(form: PrivateFormat) -> None:
    leaf = authority().issue_cert("me@client.example", key_type=trustme.KeyType.RSA)
    key = load_pem_private_key(leaf.private_key_pem.bytes(), None)
    pem = key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
    assert cleaned(tls={**own(leaf), "private_key": pem})["tls"]


def test_nothing_secret_is_shown() -> None:
    for auth in (BASIC, BEARER, OAUTH2):
        stored = cleaned(auth=auth, tls=own(), proxy="http://me:s3cret@proxy.example:3128")
        shown = masked(stored)
        assert "s3cret" not in json.dumps(shown)
        assert "PRIVATE KEY" not in json.dumps(shown)
        assert shown["proxy"] == f"http://me:{MASK}@proxy.example:3128"
        assert set(shown["tls"]) == {"subject", "expires_at", "fingerprint", "has_ca"}
        assert "CN=me" in shown["tls"]["subject"]
        assert shown["auth"]["type"] == auth["type"]
        with pytest.raises(Invalid):
            clean(shown, POLICY)  # what is shown is nothing to store


def test_what_is_shown_of_credentials() -> None:
    assert masked(cleaned(auth=OAUTH2))["auth"] == {**OAUTH2, "client_secret": MASK}


STORED: dict[str, Any] = {"url": URL, "headers": {}, "auth": BEARER, "proxy": "http://me:s3cret@proxy.example:3128"}


@pytest.mark.parametrize(
    "given",
    [
        {"url": "https://elsewhere.example/"},
        {"proxy": "http://proxy.elsewhere.example:3128"},
        {"proxy": None},
        {"tls": {"ca": "mine"}},
    ],
)
def test_secrets_follow_nowhere(given: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        KIND.change(STORED, given)
    assert [fault.pointer for fault in caught.value.faults] == ["/auth"]
    again = {**given, "auth": BASIC}
    assert KIND.change(STORED, again) == {**STORED, **again}


def test_a_client_certificate_follows_no_webhook_to_another_host() -> None:
    with pytest.raises(Invalid) as caught:
        KIND.change({"url": URL, "headers": {"x-a": "b"}, "tls": own()}, {"url": "https://elsewhere.example/"})
    assert [fault.pointer for fault in caught.value.faults] == ["/headers", "/tls"]


@pytest.mark.parametrize("given", [{"url": "https://example.com/other"}, {"auth": None}, {"auth": OAUTH2}])
def test_what_changes_no_place_changes_alone(given: dict[str, Any]) -> None:
    assert KIND.change(STORED, given) == {**STORED, **given}
