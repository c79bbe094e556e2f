"""The URL of a mail server, and addresses."""

from base64 import b64encode

import pytest

from apps.destinations.kinds.email.server import MailServer, is_address, parse_server


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.com", MailServer("mail.example.com", 587, "starttls")),
        ("smtp://mail.example.com:2525/", MailServer("mail.example.com", 2525, "starttls")),
        ("smtp://mail.example.com?tls=starttls", MailServer("mail.example.com", 587, "starttls")),
        ("smtp://relay/?tls=off", MailServer("relay", 25, "off")),
        ("smtp://me:a%40b@127.0.0.1:25/?tls=off", MailServer("127.0.0.1", 25, "off", "me", "a@b")),
        (
            "smtps://me%40example.com:p@mail.example.com",
            MailServer("mail.example.com", 465, "implicit", "me@example.com", "p"),
        ),
        ("smtp://[::1]:25/?tls=off", MailServer("::1", 25, "off")),
    ],
)
def test_what_it_says(url: str, server: MailServer) -> None:
    assert parse_server(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example.com",
        "http://mail.example.com",
        "smtp://",
        "smtp://mail.example.com:0x",
        "smtp://mail.example.com:99999",
        "smtp://mail.example.com/inbox",
        "smtp://mail.example.com/?tls=maybe",
        "smtp://mail.example.com/?ssl=1",
        "smtps://mail.example.com/?tls=off",
        "smtp://me:hunter2@mail.example.com/?tls=off",
    ],
)
def test_what_it_can_t_be(url: str) -> None:
    with pytest.raises(ValueError, match=r"must|has|takes|password") as caught:
        parse_server(url)
    assert "hunter2" not in str(caught.value)


def test_the_password_is_not_shown() -> None:
    assert "hunter2" not in repr(parse_server("smtps://me:hunter2@mail.example.com"))


def test_a_password_is_taken_out_of_what_a_server_says_however_it_repeats_it() -> None:
    server = MailServer("mail.example.com", 465, "implicit", "me", "hunter2")
    for said in ("hunter2", b64encode(b"hunter2").decode(), b64encode(b"\0me\0hunter2").decode()):
        assert server.without_password(f"no: {said}.") == "no: ********."
    assert MailServer("mail.example.com", 465, "implicit").without_password("no") == "no"


@pytest.mark.parametrize(
    "text", ["a@b", "first.last+tag@mail.example.com", "o'neil@example.com", "a@xn--bcher-kva.example", "a=b?c?=@d"]
)
def test_addresses(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "@b",
        "a@",
        "a@b@c",
        "a b@c",
        "a@b\n",
        "a@b\r\nBcc: c@d",
        "a@b,c@d",
        "A <a@b>",
        '"a"@b',
        "a..b@c",
        ".a@c",
        "a@-b",
        "ä@b",
        "a@[127.0.0.1]",
        "a\x00@b",
        "=?utf-8?q?v=40a.com=2C?=.x@b",  # an encoded word (RFC 2047), which is read as other addresses
        "x=?a@b",
        "a" * 65 + "@b",
        "a@" + "b." * 130 + "c",
        None,
        7,
    ],
)
def test_no_addresses(text: object) -> None:
    assert not is_address(text)
