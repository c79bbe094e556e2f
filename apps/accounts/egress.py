"""A project's own rules of where its deliveries may go: what people write, checked when it is saved. Pure.

They only narrow: what the installation refuses stays refused, whatever is allowed here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from apps.kernel.errors import Fault, Invalid

type Network = IPv4Network | IPv6Network

MOST_ENTRIES = 100
LONGEST_NAME = 253
HOST = re.compile(r"(?=.*[a-z_-])[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
LISTS = ("allow", "deny")
FIELDS = (*LISTS, "ports", "https_only")


@dataclass(frozen=True, slots=True)
class Places:
    """Networks and host names; a name stands for itself and for all beneath it."""

    networks: tuple[Network, ...] = ()
    hosts: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.networks or self.hosts)

    def host_of(self, name: str) -> str | None:
        """The entry that covers this name."""
        return next((host for host in self.hosts if name == host or name.endswith(f".{host}")), None)


@dataclass(frozen=True, slots=True, eq=False)  # compared as objects, which costs nothing: `rules_in` makes one a text
class EgressRules:
    """Only `allow` where it says anything, nothing of `deny`, only `ports` where there are any."""

    allow: Places = Places()
    deny: Places = Places()
    ports: frozenset[int] = frozenset()
    https_only: bool = False


@lru_cache(maxsize=4_096)
def rules_in(text: str) -> EgressRules | None:
    """The rules in a stored JSON text; None where there are none, which is what most projects have."""
    stored = json.loads(text)
    return parse_rules(stored) if stored else None


def parse_rules(value: object, *, pointer: str = "/egress") -> EgressRules:
    """Raises Invalid with a fault for each thing that is wrong."""
    if not isinstance(value, Mapping):
        raise Invalid("the egress rules are not valid", faults=[Fault(pointer, "must be an object", "wrong_type")])
    if faults := [fault.under(pointer) for fault in _faults(value)]:
        raise Invalid("the egress rules are not valid", faults=faults)
    return EgressRules(
        allow=_places(value.get("allow", ())),
        deny=_places(value.get("deny", ())),
        ports=frozenset(value.get("ports", ())),
        https_only=value.get("https_only", False),
    )


def _faults(value: Mapping[str, Any]) -> Iterator[Fault]:
    for name, given in value.items():
        if name not in FIELDS:
            yield Fault(f"/{name}", f"unknown field; there are {', '.join(FIELDS)}", "unknown_field")
        elif name == "https_only":
            if not isinstance(given, bool):
                yield Fault(f"/{name}", "must be true or false", "wrong_type")
        elif not isinstance(given, list):
            yield Fault(f"/{name}", "must be a list", "wrong_type")
        elif len(given) > MOST_ENTRIES:
            yield Fault(f"/{name}", f"has more than {MOST_ENTRIES} entries", "too_many")
        else:
            judge = _port_fault if name == "ports" else _place_fault
            yield from (Fault(f"/{name}/{at}", fault) for at, one in enumerate(given) if (fault := judge(one)))


def _port_fault(port: object) -> str:
    known = isinstance(port, int) and not isinstance(port, bool) and 1 <= port <= 65_535
    return "" if known else "must be a port, 1 to 65535"


def _place_fault(place: object) -> str:
    if not isinstance(place, str) or not place:
        return "must be a network such as 203.0.113.0/24, or a host name"
    if (place[0].isdigit() and "/" in place) or ":" in place:
        return _network_fault(place)
    if place.startswith(("*", ".")):
        return "leave the start out: a name stands for itself and for all beneath it"
    return "" if is_host(place) or not _network_fault(place) else "must be a network, or a host name in lower case"


def _network_fault(text: str) -> str:
    try:
        ip_network(text)
    except ValueError as error:
        return f"is no network: {error}"
    return ""


def is_host(text: str) -> bool:
    """A name in its one normal spelling: lower case, punycode, no dot at the end."""
    return len(text) <= LONGEST_NAME and HOST.fullmatch(text) is not None


def _places(entries: Any) -> Places:
    hosts = tuple(entry for entry in entries if is_host(entry))
    return Places(tuple(ip_network(entry) for entry in entries if entry not in hosts), hosts)


def changed_rules(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored after a change: each field that is given replaces the earlier one, and null takes it out."""
    kept = {name: value for name, value in {**before, **given}.items() if value is not None}
    parse_rules(kept)
    return kept
