"""A letter is read as being for exactly those it is for, and they are whom it is handed in for."""

import smtplib
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from string import ascii_letters, digits
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.destinations.kinds import Message, Target
from apps.destinations.kinds.email.handing import Handing
from apps.destinations.kinds.email.letter import Misread, letter
from apps.destinations.kinds.email.server import LONGEST_LOCAL, MailServer, is_address

FROM = "trunkline@sender.example"
MESSAGE = Message("evt_1", b'{"type":"trunkline.test","timestamp":"2026-11-22T20:41:07Z","data":{}}')
WORDS = ("=?", "?=", "?q?", "?b?", "=?utf-8?q?v=40a.com=2C?=")  # of RFC 2047: what an encoded word is made of
PIECES = st.sampled_from([*ascii_letters, *digits, *"!#$%&'*+/=?^_`{|}~-", *WORDS])
ATOMS = st.lists(PIECES, min_size=1, max_size=12).map("".join)
LOCALS = st.lists(ATOMS, min_size=1, max_size=3).map(".".join).map(lambda text: text[:LONGEST_LOCAL])
ADDRESSES = st.builds("{}@{}".format, LOCALS, st.sampled_from(["b", "allowed.com", f"{'x' * 63}.{'y' * 63}.example"]))
ENCODED = "=?utf-8?q?v=40a.com=2Cw=40b.com=2Cu=40c.com=2C?=.x@allowed.com"  # read as four, three of them elsewhere


def made(*to: str, sender: str = FROM) -> EmailMessage:
    return letter(Target("dst_9", {"to": list(to), "subject_prefix": ""}), MESSAGE, sender)


def read_back(made: EmailMessage) -> list[str]:
    """As whoever gets it reads its To."""
    return [one.addr_spec for one in message_from_bytes(made.as_bytes(), policy=SMTP)["To"].addresses]


@pytest.fixture(scope="module")
def envelopes() -> list[tuple[str, list[str]]]:
    return []


@pytest.fixture(scope="module")
def handing(envelopes: list[tuple[str, list[str]]]) -> Handing:
    """To a client that keeps what it would say to a server."""

    class Client(smtplib.SMTP):
        def ehlo_or_helo_if_needed(self) -> None:
            pass

        def sendmail(self, from_addr: str, to_addrs: Any, *rest: Any, **more: Any) -> Any:
            envelopes.append((from_addr, list(to_addrs)))
            return {}

    class Open(Handing):
        def _client(self) -> Any:
            return Client()

        def _greet(self, client: object) -> None:
            pass

    return Open(MailServer("127.0.0.1", 9, "off"), 1.0)


@given(to=st.lists(ADDRESSES, min_size=1, max_size=10, unique=True))
def test_the_envelope_and_the_header_are_the_configured_list(
    handing: Handing, envelopes: list[tuple[str, list[str]]], to: list[str]
) -> None:
    """Or there is no letter, where one of them is no address."""
    if not all(map(is_address, to)):
        with pytest.raises(Misread):
            made(*to)
        return
    one = made(*to)
    assert read_back(one) == to
    handing.hand_in(one, to)
    assert envelopes[-1] == (FROM, to)


@pytest.mark.parametrize("to", [[ENCODED], ["a@b", ENCODED], ["a@b, c@d"], ["A <a@b>"], ["a@b", "a@b\r\n"], ["x"]])
def test_one_that_is_read_otherwise_is_not_made(to: list[str]) -> None:
    """Whatever else lets it through: also where no domains are named."""
    with pytest.raises(Misread):
        made(*to)


def test_the_envelope_is_not_what_the_header_says(handing: Handing, envelopes: list[tuple[str, list[str]]]) -> None:
    one = made("a@b")
    del one["To"]
    one["To"] = "victim@elsewhere.example"
    one["Bcc"] = "victim@elsewhere.example"
    handing.hand_in(one, ["a@b"])
    assert envelopes[-1] == (FROM, ["a@b"])


def test_a_sender_with_a_name(handing: Handing, envelopes: list[tuple[str, list[str]]]) -> None:
    one = made("a@b", sender="Trunkline of all <me@sender.example>")
    assert one["From"] == "Trunkline of all <me@sender.example>"
    assert one["Message-ID"] == "<evt_1.dst_9@sender.example>"
    handing.hand_in(one, ["a@b"])
    assert envelopes[-1] == ("me@sender.example", ["a@b"])
