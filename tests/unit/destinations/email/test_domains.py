"""At which domains letters may be received."""

import pytest

from apps.destinations.kinds.email.domains import outside, parse_domain


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("example.com", "example.com"),
        ("EXAMPLE.Com", "example.com"),
        ("localhost", "localhost"),
        ("3com.example", "3com.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("\uff45xample\u3002com", "example.com"),
        ("*.example.com", "*.example.com"),
        ("*.Bücher.example", "*.xn--bcher-kva.example"),
    ],
)
def test_one_normal_spelling(text: str, domain: str) -> None:
    assert parse_domain(text) == domain
    assert parse_domain(domain) == domain


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "*.",
        "*.*.example.com",
        "mail.*.example.com",
        "*example.com",
        ".example.com",
        "example.com.",
        "example..com",
        "@example.com",
        "ops@example.com",
        "https://example.com",
        "example.com:25",
        "example.com/x",
        "example.com?x",
        "example.com#x",
        "ex%61mple.com",
        "exam ple.com",
        "exam\tple.com",
        "example.com\n",
        "a_b.example",
        "-a.example",
        "a-.example",
        "xn--a.example",
        "127.0.0.1",
        "0x7f.1",
        "[::1]",
        "a" * 64 + ".example",
        "a." * 130 + "example",
        "exam\u200bple.com\u0000",
        "\ud800.example",
    ],
)
def test_what_is_no_domain(text: str) -> None:
    with pytest.raises(ValueError, match=r"example\.com") as caught:
        parse_domain(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("address", "is_outside"),
    [
        ("ops@example.com", False),
        ("ops@EXAMPLE.COM", False),
        ("ops@mail.example.com", True),  # not without the star
        ("ops@notexample.com", True),
        ("ops@example.com.evil.example", True),
        ("ops@a.partner.example", False),
        ("ops@a.b.Partner.example", False),
        ("ops@partner.example", True),  # the star is for what is beneath
        ("ops@evilpartner.example", True),
        ("ops@.partner.example", True),
        ("ops@xn--BCHER-kva.example", False),
        ("ops@bücher.example", True),  # no plain address
        ("ops@evil.example, x@example.com", True),
        ("ops@evil.example\r\n@example.com", True),
        ("evil.example <ops@example.com>", True),
        ("victim%gmail.com@example.com", True),  # the percent hack
        ("gmail.com!victim@example.com", True),  # a UUCP path
        ("=?utf-8?q?v=40evil.example=2C?=.x@example.com", True),  # an encoded word
        ("a%@a.partner.example", True),
        ("!a@example.com", True),
        ("o'neil+tag#1=x/y@example.com", False),
        ("example.com", True),
        ("", True),
        (None, True),
        (7, True),
    ],
)
def test_who_is_outside(address: object, is_outside: bool) -> None:
    domains = tuple(map(parse_domain, ("example.com", "*.partner.example", "bücher.example")))
    assert outside([address], domains) == ([0] if is_outside else [])
    assert outside([address], ()) == []


def test_each_is_asked_of() -> None:
    assert outside(["a@b.example", "a@example.com", "a@c.example"], ("example.com",)) == [0, 2]
