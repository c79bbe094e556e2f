"""A webhook's settings: what is stored, what is refused and where the fault points, what is shown."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import text

from apps.destinations.egress import EgressPolicy
from apps.destinations.kinds.webhook.auth import MASK
from apps.destinations.kinds.webhook.config import clean, masked
from apps.kernel.errors import Invalid

URL = "https://example.com/hook"
CLOSED = EgressPolicy()


def faults_in(config: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        clean(config, CLOSED)
    return [(fault.pointer, fault.code) for fault in caught.value.faults]


def test_a_url_is_enough() -> None:
    assert clean({"url": "https://EXAMPLE.com:443/hook"}, CLOSED) == {"url": URL, "headers": {}}


def test_headers_are_kept_in_lower_case() -> None:
    given = {"Authorization": "Bearer a b\tc", "X-Empty": "", "User-Agent": "mine/1.0", "x!#$%&'*+.^_`|~9": "~"}
    stored = clean({"url": URL, "headers": given}, CLOSED)["headers"]
    assert stored == {name.lower(): value for name, value in given.items()}


def test_what_was_cleaned_is_clean() -> None:
    once = clean({"url": URL, "headers": {"X-A": "b"}}, CLOSED)
    assert clean(once, CLOSED) == once


def test_null_headers_are_none() -> None:
    assert clean({"url": URL, "headers": None}, CLOSED)["headers"] == {}


RESERVED = """
    Host CONTENT-LENGTH Content-Type content-encoding Transfer-Encoding Connection Keep-Alive Upgrade TE Trailer
    Expect Webhook-Id webhook-signature WEBHOOK-anything Proxy-Authorization traceparent tracestate
"""


@pytest.mark.parametrize("name", RESERVED.split())
def test_reserved_headers_are_refused(name: str) -> None:
    assert faults_in({"url": URL, "headers": {name: "x"}}) == [(f"/headers/{name}", "reserved")]


@pytest.mark.parametrize("name", ["", " ", "x y", "x:", "x\r\ny", "x\n", "ü", "(x)", "x=", "x\x00", "[x]"])
def test_names_that_are_no_tokens_are_refused(name: str) -> None:
    assert faults_in({"url": URL, "headers": {name: "x"}}) == [(f"/headers/{name}", "invalid")]


@pytest.mark.parametrize(
    "value", ["a\r\nx: y", "a\n", "\ra", "a\x00", " a", "a ", "\ta", "ü", "\x7f", None, 1, True, ["a"], {"a": "b"}]
)
def test_values_that_are_no_field_values_are_refused(value: object) -> None:
    assert faults_in({"url": URL, "headers": {"x-a": value}}) == [("/headers/x-a", "invalid")]


@given(text(alphabet=string.printable + "\x00\x85üё\u2028", max_size=8))
def test_no_value_that_passes_can_start_another_line(value: str) -> None:
    try:
        stored = clean({"url": URL, "headers": {"x-a": value}}, CLOSED)["headers"]["x-a"]
    except Invalid:
        return
    assert stored == value
    assert stored.isascii()
    assert not set(stored) & set("\r\n\x00\x0b\x0c")


def test_the_pointer_is_escaped() -> None:
    assert faults_in({"url": URL, "headers": {"a/b~c": "x"}}) == [("/headers/a~1b~0c", "invalid")]


def test_a_header_may_not_be_there_twice() -> None:
    assert faults_in({"url": URL, "headers": {"X-A": "1", "x-a": "2"}}) == [("/headers/x-a", "duplicate")]


def test_at_most_twenty_headers() -> None:
    headers = {f"x-{number}": "" for number in range(20)}
    assert len(clean({"url": URL, "headers": headers}, CLOSED)["headers"]) == 20
    assert faults_in({"url": URL, "headers": {**headers, "x-20": ""}}) == [("/headers", "too_long")]


def test_at_most_four_kibibytes() -> None:
    assert clean({"url": URL, "headers": {"x-a": "a" * 4093}}, CLOSED)
    assert faults_in({"url": URL, "headers": {"x-a": "a" * 4094}}) == [("/headers", "too_long")]


@pytest.mark.parametrize("headers", ["x", 1, ["x-a"], [["x-a", "b"]]])
def test_headers_are_an_object(headers: object) -> None:
    assert faults_in({"url": URL, "headers": headers}) == [("/headers", "invalid")]


@pytest.mark.parametrize("url", [None, "", 1, ["https://example.com/"], {}])
def test_the_url_is_required_and_a_string(url: object) -> None:
    assert faults_in({"url": url}) == [("/url", "required")]
    assert faults_in({}) == [("/url", "required")]


def test_all_faults_are_named_at_once() -> None:
    faults = faults_in({"url": "http://10.0.0.1/", "headers": {"Host": "x", "x-a": "\n"}, "method": "GET"})
    assert faults == [
        ("/method", "unknown_field"),
        ("/url", "address_refused"),
        ("/headers/Host", "reserved"),
        ("/headers/x-a", "invalid"),
    ]


def test_values_are_masked_and_the_mask_is_no_value() -> None:
    shown = masked(clean({"url": URL, "headers": {"Authorization": "secret"}}, CLOSED))
    assert shown == {"url": URL, "headers": {"authorization": MASK}}
    assert faults_in(shown) == [("/headers/authorization", "masked")]
