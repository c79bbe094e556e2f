"""A destination's config made ready once: parsing a URL for each request would cost as much as sending it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlencode

from pyreqwest.http import Url

from apps.destinations.egress import EgressPolicy, Resolution
from apps.destinations.egress.proxy import parse_proxy
from apps.destinations.egress.resolver import ADDRESS_REFUSED
from apps.destinations.kinds.webhook.answer import KEPT, READ_LIMIT
from apps.destinations.kinds.webhook.auth import OAuth2, authorization, oauth2_of
from apps.destinations.kinds.webhook.client_tls import ClientTLS, client_tls_of
from apps.destinations.kinds.webhook.config import faults_in
from apps.destinations.kinds.webhook.proxy import OperatorsProxy, Via, stand_in

MOST_ROUTES = 16_384  # some 2 kB each
USER_AGENT = "Trunkline/0.1.0"
FORM = "application/x-www-form-urlencoded"
MORE = ("auth", "tls", "proxy")
NOTHING = (None, None, None)
ANYWHERE = EgressPolicy((ip_network("0.0.0.0/0"), ip_network("::/0")))  # where the operator's own proxy may stand


@dataclass(frozen=True, slots=True)
class Route:
    """Where a URL leads, and the part of each request there that never changes."""

    origin: str  # connections are kept by this and the address
    host: str  # as in the URL; an IPv6 address in brackets
    port: int
    is_tls: bool
    head: bytes = field(repr=False)  # request line and headers, up to those of one attempt: they may hold credentials
    literal: Resolution | None  # the verdict, where no look-up is needed: of an address, a port, a scheme
    tls: ClientTLS | None = field(repr=False, default=None)  # the certificates it has of its own
    oauth: OAuth2 | None = field(repr=False, default=None)  # where its tokens come from
    via: Via | None = field(repr=False, default=None)  # the proxy in between
    hop: Resolution | None = None  # the verdict on that one, where its host is an address
    kept: int = KEPT  # bytes of an answer that are kept

    @property
    def server_name(self) -> str:
        """What the certificate must be for."""
        return self.host.strip("[]")


class Routes:
    """The routes used lately, by the value of all that makes them."""

    def __init__(self, operators: OperatorsProxy) -> None:
        self._operators = operators
        self._route = lru_cache(MOST_ROUTES)(self._make)
        self.to_token = lru_cache(MOST_ROUTES)(self._make_to_token)

    def to(self, config: Mapping[str, Any], policy: EgressPolicy) -> Route:
        """Raises ValueError for what is no http or https URL, and for headers that can't be sent."""
        headers = config.get("headers")
        more = tuple(_frozen(config.get(name)) for name in MORE) if len(config) > 1 + ("headers" in config) else ()
        return self._route(config["url"], tuple(headers.items()) if headers else (), more, policy)

    def _make(
        self, text: str, headers: tuple[tuple[str, str], ...], more: tuple[Any, ...], policy: EgressPolicy
    ) -> Route:
        auth, tls, proxy = (_thawed(one) for one in more or NOTHING)
        custom = dict(headers)
        if faults_in(custom):  # a stored config was vetted, but a line break here would be another request
            raise ValueError("headers that can't be sent")
        if value := authorization(auth):
            custom["authorization"] = value
        return self._to(text, custom, policy, client_tls_of(tls), oauth2_of(auth), proxy)

    def _make_to_token(self, oauth: OAuth2, own_proxy: Via | None, policy: EgressPolicy) -> tuple[Route, bytes]:
        """The way to the token endpoint, and what is posted there."""
        body = urlencode(oauth.form()).encode("ascii")
        headers = {"accept": "application/json", "content-type": FORM, "content-length": str(len(body))}
        return self._to(oauth.token_url, headers | oauth.headers(), policy, via=own_proxy, kept=READ_LIMIT), body

    def _to(
        self,
        text: str,
        headers: Mapping[str, str],
        policy: EgressPolicy,
        tls: ClientTLS | None = None,
        oauth: OAuth2 | None = None,
        proxy: str = "",
        *,
        via: Via | None = None,
        kept: int = KEPT,
    ) -> Route:
        url = Url(text)
        host, port = url.host_str, url.port_or_known_default
        if url.scheme not in {"http", "https"} or not host or not port:
            raise ValueError("not an http URL")
        via = self._operators.via(host) or (Via(parse_proxy(proxy)) if proxy else via)  # the operator's way out counts
        return Route(
            origin=f"{url.scheme}://{host}:{port}{_distinction(tls, via, kept)}",
            host=host,
            port=port,
            is_tls=url.scheme == "https",
            head=_head(url, headers),
            literal=_judged(url, policy),
            tls=tls,
            oauth=oauth,
            via=via,
            hop=_hop(via, policy) if via else None,
            kept=kept,
        )


def _distinction(tls: ClientTLS | None, via: Via | None, kept: int) -> str:
    """Keeps connections apart that go elsewhere, show another certificate, or answer otherwise; empty for most."""
    if tls is None and via is None and kept == KEPT:
        return ""
    own = (tls.certificate, tls.private_key, tls.ca) if tls else ()
    hop = (via.proxy.authority, via.proxy.username, via.proxy.password, str(via.is_operators)) if via else ()
    return "#" + sha256(repr((own, hop, kept)).encode()).hexdigest()


def _hop(via: Via, policy: EgressPolicy) -> Resolution | None:
    """The verdict on a proxy, where no look-up is needed."""
    return _judged(Url(stand_in(via.proxy)), ANYWHERE if via.is_operators else policy)


def _frozen(value: Any) -> Any:
    """Of a part of the config, something that can be a key."""
    if isinstance(value, Mapping):
        return tuple([(name, _frozen(one)) for name, one in value.items()])
    return tuple(value) if isinstance(value, list) else value


def _thawed(value: Any) -> Any:
    """The part again, as far as it matters here."""
    return dict(value) if isinstance(value, tuple) else value or {}


def _head(url: Url, custom: Mapping[str, str]) -> bytes:
    """No part of a URL as the library spells it, and no header that passed, holds a space or line break to split on."""
    host = f"{url.host_str}:{url.port}" if url.port else url.host_str
    path = url.path if url.query_string is None else f"{url.path}?{url.query_string}"
    headers = {"host": host, "user-agent": USER_AGENT, **custom}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def _judged(url: Url, policy: EgressPolicy) -> Resolution | None:
    if refused := policy.transport_refusal(url.port_or_known_default or 0, is_tls=url.scheme == "https"):
        return Resolution(error=refused[0], detail=refused[1])
    if url.domain:
        return None
    address = (url.host_str or "").strip("[]")
    if rule := policy.refusal(address):
        return Resolution(error=ADDRESS_REFUSED, detail=f"{address}: {rule}")
    return Resolution((address,))
