"""One event as a letter: plain text, with headers that nothing in it can break out of."""

from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from apps.destinations.kinds.base import Message, Target
from apps.destinations.kinds.wording import headline, lines_of, said_in

LONGEST_SUBJECT = 200  # characters
LONGEST_BODY = 20_000


def letter(target: Target, message: Message, sender: str) -> EmailMessage:
    """The same event makes the same letter, so that a repeat is known as one by its Message-ID (RFC 5322 3.6.4)."""
    said = said_in(message)
    made = EmailMessage(policy=SMTP)
    made["From"] = sender
    made["To"] = ", ".join(target.config["to"])
    made["Subject"] = _line(f"{target.config.get('subject_prefix', '')} {headline(said)}")
    made["Date"] = format_datetime(said.time)
    made["Message-ID"] = f"<{message.id}.{target.id}@{sender.partition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notice answers it
    text = "\n".join([headline(said), "", *lines_of(said), "", f"event: {message.id}"])
    made.set_content(text[:LONGEST_BODY])
    return made


def _line(text: str) -> str:
    """Line breaks and the like become spaces: parts of it come from whoever named the destination."""
    return "".join(char if char.isprintable() else " " for char in text).strip()[:LONGEST_SUBJECT]
