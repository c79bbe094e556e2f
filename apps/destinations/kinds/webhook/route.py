"""A destination's config made ready once: parsing a URL for each request would cost as much as sending it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from pyreqwest.http import Url

from apps.destinations.egress import EgressPolicy, Resolution
from apps.destinations.egress.resolver import ADDRESS_REFUSED
from apps.destinations.kinds.webhook.config import faults_in

MOST_ROUTES = 16_384  # some 2 kB each
USER_AGENT = "Trunkline/0.1.0"


@dataclass(frozen=True, slots=True)
class Route:
    """Where a URL leads, and the part of each request there that never changes."""

    origin: str  # connections are kept by this and the address
    host: str  # as in the URL; an IPv6 address in brackets
    port: int
    is_tls: bool
    head: bytes  # request line and headers, up to those of one attempt
    literal: Resolution | None  # the verdict, where the host is an address and needs no look-up

    @property
    def server_name(self) -> str:
        """What the certificate must be for."""
        return self.host.strip("[]")


class Routes:
    """The routes used lately, by URL and custom headers."""

    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy
        self._route = lru_cache(MOST_ROUTES)(self._make)

    def to(self, url: str, headers: Mapping[str, str]) -> Route:
        """Raises ValueError for what is no http or https URL, and for headers that can't be sent."""
        return self._route(url, tuple(headers.items()) if headers else ())

    def _make(self, text: str, headers: tuple[tuple[str, str], ...]) -> Route:
        url = Url(text)
        host, port = url.host_str, url.port_or_known_default
        if url.scheme not in {"http", "https"} or not host or not port:
            raise ValueError("not an http URL")
        if faults_in(dict(headers)):  # a stored config was vetted, but a line break here would be another request
            raise ValueError("headers that can't be sent")
        return Route(
            origin=f"{url.scheme}://{host}:{port}",
            host=host,
            port=port,
            is_tls=url.scheme == "https",
            head=_head(url, dict(headers)),
            literal=None if url.domain else _judged(host.strip("[]"), self._policy),
        )


def _head(url: Url, custom: Mapping[str, str]) -> bytes:
    """No part of a URL as the library spells it, and no header that passed, holds a space or line break to split on."""
    host = f"{url.host_str}:{url.port}" if url.port else url.host_str
    path = url.path if url.query_string is None else f"{url.path}?{url.query_string}"
    headers = {"host": host, "user-agent": USER_AGENT, **custom}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


@lru_cache(MOST_ROUTES)
def _judged(address: str, policy: EgressPolicy) -> Resolution:
    if rule := policy.refusal(address):
        return Resolution(error=ADDRESS_REFUSED, detail=f"{address}: {rule}")
    return Resolution((address,))
