"""An e-mail destination's settings as lines of text."""

from collections.abc import Iterable, Sequence

from apps.destinations.kinds.base import FormField


def read_addresses(text: str) -> list[str]:
    return text.replace(",", "\n").split()


def show_addresses(addresses: Iterable[str] | None) -> str:
    return "\n".join(addresses or ())


FORM: Sequence[FormField] = (
    FormField("to", "To", "One address a line, at most 10.", rows=3, read=read_addresses, show=show_addresses),
    FormField("subject_prefix", "Subject prefix", "What every subject begins with, such as [billing]."),
)
