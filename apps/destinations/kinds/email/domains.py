"""At which domains letters may be received, as the operator writes it and as it is asked. Pure."""

import re
from collections.abc import Iterable, Sequence

from pyreqwest.http import Url

from apps.destinations.kinds.email.server import LABEL, is_address

LONGEST = 253
BENEATH = "*."
ROUTES = frozenset("%!")  # victim%gmail.com@…, gmail.com!victim@…: some mail servers send these on for whom they trust
DOMAIN = re.compile(rf"{LABEL}(\.{LABEL})*")
UNFIT = re.compile(r"[\x00-,/:-@\[-`{-\x7f\ud800-\udfff]")  # of ASCII, letters, digits, dots and hyphens are fit


def parse_domain(text: str) -> str:
    """In lower case and punycode; `*.example.com` stands for all beneath example.com. Raises ValueError."""
    beneath = BENEATH if text.startswith(BENEATH) else ""
    name = _normal(text.removeprefix(beneath))
    if not DOMAIN.fullmatch(name) or len(name) > LONGEST:
        raise ValueError(f"{text!r} is no domain: example.com, or *.example.com for all beneath it; empty is any")
    return beneath + name


def _normal(name: str) -> str:
    """As browsers spell it (UTS 46), or empty: what is read as an address, or as no name at all."""
    try:
        return "" if UNFIT.search(name) else Url(f"https://{name}/").domain or ""
    except ValueError:
        return ""


def outside(to: Sequence[object], domains: Iterable[str]) -> list[int]:
    """The places of those at none of the domains; no domains are any."""
    allowed = tuple(domains)
    return [place for place, one in enumerate(to) if not _is_at(one, allowed)] if allowed else []


def _is_at(address: object, domains: tuple[str, ...]) -> bool:
    """What is no plain address is nowhere, and so is one that names its way: a second one might be in it."""
    if not is_address(address):
        return False
    local, _, domain = str(address).lower().rpartition("@")
    if ROUTES & set(local):
        return False
    return any(domain.endswith(one[1:]) if one.startswith(BENEATH) else domain == one for one in domains)
