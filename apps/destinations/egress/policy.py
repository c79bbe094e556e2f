"""Which IP addresses are refused, and by which rule. Pure: no look-ups, no clock.

Refused is whatever the IANA special-purpose registries (RFC 6890 and its updates) don't call globally reachable,
and a few addresses that are, but belong to the network we stand in. IPv6 forms that carry an IPv4 address are
unwrapped: a translator on the way would turn them into just that address.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from apps.accounts.egress import EgressRules, Places

type Address = IPv4Address | IPv6Address
type Network = IPv4Network | IPv6Network

HTTPS_REQUIRED, PORT_REFUSED = "https_required", "port_refused"
NO_RULES = EgressRules()
PROJECT = "the project's rules"
NOT_ALLOWED = "not in the project's allow list"

LOW_32 = 0xFFFFFFFF

# The first that holds names the reason, so the narrow ones stand first.
RULES: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/32", "unspecified address"),
    ("0.0.0.0/8", "reserved address (this network)"),
    ("10.0.0.0/8", "private address (RFC 1918)"),
    ("100.100.100.200/32", "cloud metadata (Alibaba)"),
    ("100.64.0.0/10", "carrier-grade NAT address (RFC 6598)"),
    ("127.0.0.0/8", "loopback address"),
    ("168.63.129.16/32", "cloud metadata (Azure)"),  # a public address, yet answered by the host we run on
    ("169.254.0.0/16", "link-local address / cloud metadata"),
    ("172.16.0.0/12", "private address (RFC 1918)"),
    ("192.0.0.192/32", "cloud metadata (Oracle)"),
    ("192.0.0.0/24", "reserved address (IETF protocols)"),
    ("192.0.2.0/24", "documentation address"),
    ("192.88.99.0/24", "6to4 relay address"),
    ("192.168.0.0/16", "private address (RFC 1918)"),
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
    ("fc00::/7", "unique-local address (RFC 4193)"),
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


@dataclass(frozen=True, slots=True, eq=False)  # compared as objects: whoever makes one keeps it
class EgressPolicy:
    """Where deliveries may go: the installation's rules, and those of a project, which only narrow them.

    Public addresses are permitted, all others are not, unless they lie in `allowed_networks`; what is denied is
    refused in any case. Every method returns the rule that refuses, in words, or None.
    """

    allowed_networks: tuple[Network, ...] = ()
    denied_networks: tuple[Network, ...] = ()
    denied_hosts: tuple[str, ...] = ()  # each with all names beneath it
    allowed_ports: frozenset[int] = frozenset()  # none: any
    https_only: bool = False
    project: EgressRules = NO_RULES

    def refusal(self, address: str | Address, *, named: bool = False) -> str | None:
        """Of an address to connect to; no address is refused too. `named`: the project allows its name."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return "not an IP address"
        rule = self._refusal_v6(parsed) if isinstance(parsed, IPv6Address) else self._refusal_v4(parsed)
        return rule or self._not_allowed(parsed, named=named)

    def allows(self, address: Address) -> bool:
        """Whether the operator named a network with this address in it."""
        return any(address in network for network in self.allowed_networks)

    def transport_refusal(self, port: int, *, is_tls: bool) -> tuple[str, str] | None:
        """Of a scheme and a port: an error code, and the rule."""
        if not is_tls and (self.https_only or self.project.https_only):
            return HTTPS_REQUIRED, f"http: only https is allowed ({self._said_by(self.https_only, 'HTTPS_ONLY')})"
        for allowed, whose in ((self.allowed_ports, "TRUNKLINE_ALLOWED_PORTS"), (self.project.ports, PROJECT)):
            if allowed and port not in allowed:
                return PORT_REFUSED, f"port {port}: not among the allowed ports ({whose})"
        return None

    def name_refusal(self, name: str) -> str | None:
        """Of a name, before it is looked up; `name` in lower case without a dot at its end."""
        if host := Places(hosts=self.denied_hosts).host_of(name):
            return f"refused by TRUNKLINE_DENIED_HOSTS: {host}"
        if host := self.project.deny.host_of(name):
            return f"refused by the project's deny list: {host}"
        # Networks may still allow it, by its addresses.
        only_names = self.project.allow and not self.project.allow.networks
        return NOT_ALLOWED if only_names and not self.project.allow.host_of(name) else None

    def is_named(self, name: str) -> bool:
        """Whether the project allows this name, so that its addresses need not be in its list."""
        return self.project.allow.host_of(name) is not None

    def _not_allowed(self, address: Address, *, named: bool) -> str | None:
        allow = self.project.allow
        if not allow or named or any(address in network for network in allow.networks):
            return None
        return NOT_ALLOWED

    def _denied(self, address: Address) -> str | None:
        for networks, whose in (
            (self.denied_networks, "TRUNKLINE_DENIED_NETWORKS"),
            (self.project.deny.networks, "the project's deny list"),
        ):
            for network in networks:
                if address in network:
                    return f"refused by {whose}: {network}"
        return None

    def _refusal_v4(self, address: IPv4Address) -> str | None:
        return self._denied(address) or (None if self.allows(address) else _rule_for(address))

    def _refusal_v6(self, address: IPv6Address) -> str | None:
        if address.scope_id is not None:
            return "address with an IPv6 zone"
        if denied := self._denied(address):
            return denied
        form = _form_of(address)
        if not form:
            return None if self.allows(address) else _rule_for(address)
        inner = list(_carried(address, form))
        for carried in inner:
            if rule := self._refusal_v4(carried):
                return f"{form}, {rule}"
        if form == "IPv4-mapped" and self.allows(inner[0]):
            return None  # the same address in another spelling
        return None if self.allows(address) else f"{form} address"

    @staticmethod
    def _said_by(ours: bool, name: str) -> str:
        return f"TRUNKLINE_{name}" if ours else PROJECT


@lru_cache(maxsize=4_096)
def narrowed(policy: EgressPolicy, rules: EgressRules | None) -> EgressPolicy:
    """The installation's policy with a project's rules: the same object for the same two."""
    return policy if rules is None else replace(policy, project=rules)


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
