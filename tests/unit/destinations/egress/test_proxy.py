"""Which hosts the operator's proxy is passed by for, and that a proxy's password shows nowhere."""

import pytest

from apps.destinations.egress.proxy import Proxy, is_passed_by, parse_proxy

WITHOUT = ("internal.example", ".corp", "*.lan.example", "10.0.0.0/8", "192.0.2.7", "fd00::/8")


@pytest.mark.parametrize(
    ("host", "passed_by"),
    [
        ("internal.example", True),
        ("a.internal.example", True),
        ("INTERNAL.example.", True),
        ("notinternal.example", False),
        ("internal.example.evil.example", False),
        ("a.corp", True),
        ("a.lan.example", True),
        ("10.1.2.3", True),
        ("11.1.2.3", False),
        ("192.0.2.7", True),
        ("[fd00::1]", True),
        ("[2606:4700::1]", False),
    ],
)
def test_who_is_reached_without_it(host: str, passed_by: bool) -> None:
    assert is_passed_by(host, WITHOUT) is passed_by
    assert is_passed_by(host, ("*",))
    assert not is_passed_by(host, ("", "."))


def test_reading_one() -> None:
    assert parse_proxy("http://me:p%40ss@proxy.example:3128/") == Proxy("proxy.example", 3128, "me", "p@ss")
    assert parse_proxy("http://[::1]:3128").authority == "[::1]:3128"
    assert "p@ss" not in repr(parse_proxy("http://me:p%40ss@proxy.example:3128"))


@pytest.mark.parametrize(
    "text", ["", "x", "http:///", "http://h:0", "http://h:1?q", "http://h:1#f", "http://h:x", "//h:1"]
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(must|is|has) ") as caught:
        parse_proxy(text)
    assert not text or len(text) < 3 or text not in str(caught.value)
