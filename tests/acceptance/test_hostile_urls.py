"""Addresses deliveries must not reach, in every spelling we know: refused when the destination is made."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.problems import assert_problem, faults
from tests.acceptance.project import API, Project
from tests.receiver import Receiver

REFUSED = "address_refused"

URLS: dict[str, str] = {
    # private and link-local networks; loopback itself is open on this server, for the receivers
    "http://10.0.0.1/": REFUSED,
    "http://172.16.0.1:8080/hook": REFUSED,
    "https://192.168.1.1/": REFUSED,
    "http://100.64.0.1/": REFUSED,
    "http://0.0.0.0/": REFUSED,
    "http://0/": REFUSED,
    "http://224.0.0.1/": REFUSED,
    "http://255.255.255.255/": REFUSED,
    "http://198.18.0.1/": REFUSED,
    # the cloud's metadata service, in other words
    "http://169.254.169.254/latest/meta-data/": REFUSED,
    "http://169.254.169.254./": REFUSED,
    "http://2852039166/": REFUSED,
    "http://0xa9fea9fe/": REFUSED,
    "http://0xA9.0xFE.0xA9.0xFE/": REFUSED,
    "http://0251.0376.0251.0376/": REFUSED,
    "http://169.254.43518/": REFUSED,
    "http://169.16689662/": REFUSED,
    "http://%31%36%39.254.169.254/": REFUSED,
    "http://①⑥⑨.②⑤④.①⑥⑨.②⑤④/": REFUSED,
    "http://169。254。169。254/": REFUSED,
    "http://[::ffff:169.254.169.254]/": REFUSED,
    "http://[::ffff:a9fe:a9fe]/": REFUSED,
    "http://[0:0:0:0:0:ffff:a9fe:a9fe]/": REFUSED,
    "http://[64:ff9b::a9fe:a9fe]/": REFUSED,
    "http://[2002:a9fe:a9fe::1]/": REFUSED,
    "http://[fd00:ec2::254]/": REFUSED,
    "http://168.63.129.16/": REFUSED,
    "http://100.100.100.200/": REFUSED,
    "http://metadata.google.internal/": "host_refused",
    "http://METADATA.google.internal./": "host_refused",
    "http://instance-data/": "host_refused",
    # IPv6
    "http://[::]/": REFUSED,
    "http://[::1]:8000/": REFUSED,
    "http://[fe80::1]/": REFUSED,
    "http://[fd12:3456:789a::1]/": REFUSED,
    "http://[ff02::1]/": REFUSED,
    "http://[fe80::1%25eth0]/": "invalid_url",
    # spellings on which readers of URLs disagree
    "http://example.com@169.254.169.254/": "userinfo_not_allowed",
    "http://169.254.169.254@example.com/": "userinfo_not_allowed",
    "http://example.com\\@169.254.169.254/": "invalid_url",
    "http://example.com/\n": "invalid_url",
    "http://exa mple.com/": "invalid_url",
    "http:/169.254.169.254/": "scheme_not_allowed",
    "//169.254.169.254/": "scheme_not_allowed",
    "file:///etc/passwd": "scheme_not_allowed",
    "gopher://127.0.0.1:6379/_FLUSHALL": "scheme_not_allowed",
    "ftp://example.com/": "scheme_not_allowed",
    "javascript:alert(1)": "scheme_not_allowed",
    "http://": "scheme_not_allowed",
    "http://example.com:0/": "port_not_allowed",
    "http://example.com:99999/": "invalid_url",
    "http://example.com/#fragment": "fragment_not_allowed",
    "http://256.256.256.256/": "invalid_url",
    "http://" + "a" * 64 + ".example/": "invalid_url",
    "http://example.com/" + "a" * 2048: "too_long",
    "": "required",
}


@pytest.fixture(scope="module", autouse=True)
def unharmed(project: Project, receiver: Receiver) -> Iterator[None]:
    """Afterwards not one destination was made, and Trunkline delivers."""
    yield
    assert project.client.get(f"{API}/destinations").json["data"] == []
    destination = project.destination(receiver.url("/hook"))["id"]
    assert project.tried(project.publish("still.well"), destination)["state"] == "delivered"
    assert project.client.get("/readyz").status == 200


@pytest.mark.parametrize("url", URLS, ids=lambda url: url[:60])
def test_a_url_that_is_refused(project: Project, url: str) -> None:
    answer = project.client.post(f"{API}/destinations", {"url": url})
    assert faults(assert_problem(answer, 422, "validation_failed")) == [("/url", URLS[url])]


WRONG: dict[str, tuple[Any, str]] = {
    "no URL": ({}, "/url"),
    "URL as a number": ({"url": 7}, "/url"),
    "URL as an object": ({"url": {"host": "example.com"}}, "/url"),
    "unknown kind": ({"kind": "carrier_pigeon", "url": "https://example.com/"}, "/kind"),
    "unknown field": ({"url": "https://example.com/", "ulr": 1}, "/ulr"),
    "no event types": ({"url": "https://example.com/", "event_types": []}, "/event_types"),
    "a broken pattern": ({"url": "https://example.com/", "event_types": ["a", "a..b"]}, "/event_types/1"),
    "an expression": ({"url": "https://example.com/", "event_types": ["(a+)+"]}, "/event_types/0"),
    "a short secret": ({"url": "https://example.com/", "secret": "whsec_AAAA"}, "/secret"),
    "our own header": ({"url": "https://example.com/", "headers": {"Webhook-Signature": "v1,x"}}, "/headers/"),
    "a split header": ({"url": "https://example.com/", "headers": {"x-a": "b\r\nx-c: d"}}, "/headers/x-a"),
    "a smuggled length": ({"url": "https://example.com/", "headers": {"content-length": "0"}}, "/headers/"),
    "a stranger's consumer": (
        {"url": "https://example.com/", "consumer": "con_00000000000000000000000000"},
        "/consumer",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_settings_that_are_refused(project: Project, name: str) -> None:
    value, pointer = WRONG[name]
    problem = assert_problem(project.client.post(f"{API}/destinations", value), 422, "validation_failed")
    assert all(found.startswith(pointer) for found, _ in faults(problem)), problem
    assert problem["errors"]
