"""One event as a letter: plain text, with headers that nothing in it can break out of."""

from collections.abc import Sequence
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from apps.destinations.kinds.base import Message, Target
from apps.destinations.kinds.email.server import is_address
from apps.destinations.kinds.wording import headline, lines_of, said_in

LONGEST_SUBJECT = 200  # characters
LONGEST_BODY = 20_000


class Misread(Exception):
    """Whoever reads its To would take it for others than it is for."""


def letter(target: Target, message: Message, sender: str) -> EmailMessage:
    """The same event makes the same letter, so that a repeat is known as one by its Message-ID (RFC 5322 3.6.4).

    Raises Misread: what is stored may be older than the rule for addresses.
    """
    said = said_in(message)
    made = EmailMessage(policy=SMTP)
    made["From"] = sender
    made["To"] = ", ".join(target.config["to"])
    made["Subject"] = _line(f"{target.config.get('subject_prefix', '')} {headline(said)}")
    made["Date"] = format_datetime(said.time)
    made["Message-ID"] = f"<{message.id}.{target.id}@{made['From'].addresses[0].domain}>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notice answers it
    text = "\n".join([headline(said), "", *lines_of(said), "", f"event: {message.id}"])
    made.set_content(text[:LONGEST_BODY])
    _must_read_as(target.config["to"], made)
    return made


def _must_read_as(to: Sequence[str], made: EmailMessage) -> None:
    """As it goes over the wire, folded."""
    read = message_from_bytes(made.as_bytes(), policy=SMTP)["To"]
    if not all(map(is_address, to)) or [one.addr_spec for one in read.addresses] != list(to):
        raise Misread(f"{list(to)} would be read as {read}")


def _line(text: str) -> str:
    """Line breaks and the like become spaces: parts of it come from whoever named the destination."""
    return "".join(char if char.isprintable() else " " for char in text).strip()[:LONGEST_SUBJECT]
