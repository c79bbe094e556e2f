"""A webhook's `proxy`, and the operator's: which forward proxy stands between, if any."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from apps.destinations.egress import EgressPolicy, vet_url
from apps.destinations.egress.proxy import LONGEST, Proxy, is_passed_by, parse_proxy
from apps.destinations.kinds.webhook.auth import MASK
from apps.kernel.errors import Fault, Invalid

FIELD: Mapping[str, Any] = {
    "type": ["string", "null"],
    "format": "uri",
    "maxLength": LONGEST,
    "description": "an HTTP proxy to send through, http://user:password@host:port, at a public address; "
    "answers don't show the password. null takes it out again",
}


@dataclass(frozen=True, slots=True)
class Via:
    """A proxy on the way; the operator's own may stand at any address."""

    proxy: Proxy
    is_operators: bool = False


@dataclass(frozen=True, slots=True)
class OperatorsProxy:
    """The one of the installation, and the hosts that are reached without it."""

    proxy: Proxy | None = None
    without: tuple[str, ...] = ()

    def via(self, host: str) -> Via | None:
        """What a destination without a proxy of its own goes through."""
        if self.proxy is None or is_passed_by(host, self.without):
            return None
        return Via(self.proxy, is_operators=True)


def clean_proxy(text: object, policy: EgressPolicy, faults: list[Fault]) -> str:
    """As it is stored, or empty where there is none; what is wrong goes to `faults`."""
    if text is None or text == "":
        return ""
    try:
        if not isinstance(text, str):
            raise ValueError("must be a string")
        proxy = parse_proxy(text)
        vet_url(stand_in(proxy), policy)
    except ValueError as error:
        faults.append(Fault("/proxy", str(error)))
        return ""
    except Invalid as problem:
        faults += [Fault("/proxy", fault.detail, fault.code) for fault in problem.faults]
        return ""
    if MASK in (proxy.username, proxy.password):
        faults.append(Fault("/proxy", "has the mask that stands for a hidden password: send the password", "masked"))
    return text


def stand_in(proxy: Proxy) -> str:
    """A URL whose host is the proxy's, to be judged like a destination's. How it is spoken to is not what is judged."""
    return f"https://{proxy.authority}/"


def masked_proxy(text: str) -> str:
    """To show."""
    proxy = parse_proxy(text)
    if not proxy.username and not proxy.password:
        return text
    return f"http://{quote(proxy.username, safe='')}:{MASK}@{proxy.authority}"
