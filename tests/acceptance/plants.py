"""Recognisable secrets, and the search for them in what came out: as they are, and in the forms things are written in."""

from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from urllib.parse import quote

SHORTEST = 12  # characters of a form that can't be met by chance


@dataclass(frozen=True, slots=True)
class Plant:
    """One secret, and the places that may show it, by the start of their names."""

    name: str
    text: str = field(repr=False)
    shown_in: tuple[str, ...] = ()

    def forms(self) -> Iterator[bytes]:
        """The text, and what is behind its prefix, in every spelling."""
        plain = [self.text.encode()]
        behind = self.text.partition("_")[2]
        if self.text.startswith(("whsec_", "whsk_", "tl_")) and len(behind) >= SHORTEST:
            plain.append(behind.encode())
            if not self.text.startswith("tl_"):
                plain.append(b64decode(behind + "=" * (-len(behind) % 4)))
        for raw in plain:
            yield from _spelled(raw)


def _spelled(raw: bytes) -> Iterator[bytes]:
    yield raw
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    for shift in range(3):  # base64 of a longer text that has it in its middle: without the uneven ends
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(bytes(shift) + raw).rstrip(b"=")[4 if shift else 0 : -2]
    yield repr(raw)[2:-1].encode()
    if raw.isascii():
        yield quote(raw.decode(), safe="").encode()
        yield escape(raw.decode()).encode()
        yield raw[::-1]


def leaks(evidence: Mapping[str, bytes], plants: list[Plant]) -> list[str]:
    """`where: what`, for each secret in a place that may not show it."""
    found = []
    for plant in plants:
        forms = {form for form in plant.forms() if len(form) >= SHORTEST}
        for where, content in evidence.items():
            if not where.startswith(plant.shown_in or ("\0",)) and any(form in content for form in forms):
                found.append(f"{where}: {plant.name}")
    return found
