"""A target's URL, taken apart once: parsing it for each request would cost more than signing it."""

from dataclasses import dataclass

from pyreqwest.http import Url

from apps.destinations.egress import EgressPolicy, Resolution
from apps.destinations.egress.resolver import ADDRESS_REFUSED
from apps.destinations.kinds.webhook.clients import Pin


@dataclass(frozen=True, slots=True)
class Route:
    """Where a URL leads."""

    url: Url
    scheme: str
    host: str  # as in the URL; an IPv6 address in brackets
    port: int
    literal: Resolution | None  # the verdict, where the host is an address and needs no look-up

    def pin(self, address: str) -> Pin:
        return Pin(self.scheme, self.host, self.port, address)


def route_to(text: str, policy: EgressPolicy) -> Route:
    """The route of an http or https URL; raises ValueError for any other text."""
    url = Url(text)
    host, port = url.host_str, url.port_or_known_default
    if url.scheme not in {"http", "https"} or not host or not port:
        raise ValueError("not an http URL")
    literal = None if url.domain else _judged(host.strip("[]"), policy)
    return Route(url, url.scheme, host, port, literal)


def _judged(address: str, policy: EgressPolicy) -> Resolution:
    if rule := policy.refusal(address):
        return Resolution(error=ADDRESS_REFUSED, detail=f"{address}: {rule}")
    return Resolution((address,))
