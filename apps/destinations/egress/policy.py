"""Which IP addresses are refused, and by which rule. Pure: no look-ups, no clock.

Refused is whatever the IANA special-purpose registries (RFC 6890 and its updates) don't call globally reachable,
and a few addresses that are, but belong to the network we stand in. IPv6 forms that carry an IPv4 address are
unwrapped: a translator on the way would turn them into just that address.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

type Address = IPv4Address | IPv6Address
type Network = IPv4Network | IPv6Network

LOW_32 = 0xFFFFFFFF

# The first that holds names the reason, so the narrow ones stand first.
RULES: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/32", "unspecified address"),
    ("0.0.0.0/8", "reserved address (this network)"),
    ("10.0.0.0/8", "private address"),
    ("100.100.100.200/32", "cloud metadata (Alibaba)"),
    ("100.64.0.0/10", "carrier-grade NAT address"),
    ("127.0.0.0/8", "loopback address"),
    ("168.63.129.16/32", "cloud metadata (Azure)"),  # a public address, yet answered by the host we run on
    ("169.254.0.0/16", "link-local address / cloud metadata"),
    ("172.16.0.0/12", "private address"),
    ("192.0.0.192/32", "cloud metadata (Oracle)"),
    ("192.0.0.0/24", "reserved address (IETF protocols)"),
    ("192.0.2.0/24", "documentation address"),
    ("192.88.99.0/24", "6to4 relay address"),
    ("192.168.0.0/16", "private address"),
    ("198.18.0.0/15", "benchmarking address"),
    ("198.51.100.0/24", "documentation address"),
    ("203.0.113.0/24", "documentation address"),
    ("224.0.0.0/4", "multicast address"),
    ("255.255.255.255/32", "broadcast address"),
    ("240.0.0.0/4", "reserved address"),
    ("::/128", "unspecified address"),
    ("::1/128", "loopback address"),
    ("100::/64", "reserved address (discard-only)"),
    ("2001:2::/48", "benchmarking address"),
    ("2001:db8::/32", "documentation address"),
    ("2001::/23", "reserved address (IETF protocols)"),
    ("3fff::/20", "documentation address"),
    ("fd00:ec2::254/128", "cloud metadata (AWS)"),
    ("fc00::/7", "unique-local address"),
    ("fe80::/10", "link-local address"),
    ("fec0::/10", "deprecated site-local address"),
    ("ff00::/8", "multicast address"),
)
PARSED_RULES = tuple((ip_network(network), rule) for network, rule in RULES)
GLOBAL_UNICAST = IPv6Network("2000::/3")  # all that IANA has given out; the rest of IPv6 is reserved

EMBEDDINGS: tuple[tuple[IPv6Network, str], ...] = (
    (IPv6Network("::ffff:0:0/96"), "IPv4-mapped"),  # RFC 4291
    (IPv6Network("::ffff:0:0:0/96"), "IPv4-translated"),  # RFC 2765
    (IPv6Network("::/96"), "IPv4-compatible"),  # RFC 4291
    (IPv6Network("64:ff9b::/96"), "NAT64"),  # RFC 6052
    (IPv6Network("64:ff9b:1::/48"), "NAT64"),  # RFC 8215
    (IPv6Network("2002::/16"), "6to4"),  # RFC 3056
    (IPv6Network("2001::/32"), "Teredo"),  # RFC 4380
)


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """Public addresses are permitted, all others are not, unless they lie in `allowed_networks`."""

    allowed_networks: tuple[Network, ...] = ()

    def refusal(self, address: str | Address) -> str | None:
        """The rule that refuses this address, or None where it is permitted; no address is refused too."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return "not an IP address"
        if isinstance(parsed, IPv6Address):
            return self._refusal_v6(parsed)
        return None if self.allows(parsed) else _rule_for(parsed)

    def allows(self, address: Address) -> bool:
        """Whether the operator named a network with this address in it."""
        return any(address in network for network in self.allowed_networks)

    def _refusal_v6(self, address: IPv6Address) -> str | None:
        if address.scope_id is not None:
            return "address with an IPv6 zone"
        form = _form_of(address)
        if not form:
            return None if self.allows(address) else _rule_for(address)
        inner = list(_carried(address, form))
        if form == "IPv4-mapped" and self.allows(inner[0]):
            return None  # the same address in another spelling
        for carried in inner:
            if rule := self.refusal(carried):
                return f"{form} {carried}, {rule}"
        return None if self.allows(address) else f"{form} {inner[0]}"


def _rule_for(address: Address) -> str | None:
    for network, rule in PARSED_RULES:
        if address in network:
            return rule
    return "reserved address" if address.version == 6 and address not in GLOBAL_UNICAST else None


def _form_of(address: IPv6Address) -> str:
    """How this address carries an IPv4 address; empty where it doesn't."""
    if int(address) <= 1:
        return ""  # :: and ::1 are addresses of their own
    return next((form for network, form in EMBEDDINGS if address in network), "")


def _carried(address: IPv6Address, form: str) -> Iterator[IPv4Address]:
    """The IPv4 addresses inside, each of which a packet might end at."""
    number = int(address)
    if form == "6to4":
        yield IPv4Address(number >> 80 & LOW_32)
    elif form == "Teredo":
        yield IPv4Address(~number & LOW_32)  # the client's, stored inverted
        yield IPv4Address(number >> 64 & LOW_32)  # the server's
    elif form == "NAT64" and not number & LOW_32:
        yield IPv4Address((number >> 64 & 0xFFFF) << 16 | number >> 40 & 0xFFFF)  # a /48 prefix, RFC 6052 2.2
    else:
        yield IPv4Address(number & LOW_32)
