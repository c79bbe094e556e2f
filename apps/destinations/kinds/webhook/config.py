"""A webhook's settings: `url`, and optional `headers`, `auth`, `tls` and `proxy`, each with a page of its own."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from apps.destinations.egress import EgressPolicy, vet_url
from apps.destinations.kinds.webhook import auth, client_tls, proxy
from apps.destinations.kinds.webhook.auth import MASK, clean_auth, masked_auth
from apps.destinations.kinds.webhook.client_tls import clean_tls, shown_tls
from apps.destinations.kinds.webhook.proxy import clean_proxy, masked_proxy
from apps.kernel.errors import Fault, Invalid

MOST_HEADERS = 20
MOST_BYTES = 4096  # of all names and values together
FIELDS: Mapping[str, Any] = {
    "url": {
        "type": "string",
        "format": "uri",
        "maxLength": 2048,
        "description": "webhook: http or https, to public addresses",
    },
    "headers": {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "maxProperties": MOST_HEADERS,
        "description": "webhook: sent along with every delivery; answers show their names only",
    },
    "auth": auth.FIELD,
    "tls": client_tls.FIELD,
    "proxy": proxy.FIELD,
}

NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2, token
VALUE = re.compile(r"[!-~]([\t -~]*[!-~])?")  # RFC 9110 5.5, field-value without obs-text

CLOUDEVENTS = "ce-"
RESERVED_PREFIXES = ("webhook-", "proxy-")
# Ours to set, or about the connection rather than the message (RFC 9110 7.6.1).
RESERVED = frozenset(
    {"content-encoding", "content-length", "content-type", "host", "traceparent", "tracestate"}
    | {"connection", "expect", "http2-settings", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)


def clean(config: Mapping[str, Any], policy: EgressPolicy) -> dict[str, Any]:
    """As it is stored; raises Invalid naming every fault at once.

    `{"url": str, "headers": {lower-case name: value}}`, and `auth`, `tls` and `proxy` where they were given.
    """
    faults = [Fault(_pointer(name), "unknown field", "unknown_field") for name in config if name not in FIELDS]
    url = _clean_url(config.get("url"), policy, faults)
    headers = _clean_headers(config.get("headers"), faults)
    more = {
        "auth": clean_auth(config.get("auth"), policy, faults),
        "tls": clean_tls(config.get("tls"), faults),
        "proxy": clean_proxy(config.get("proxy"), policy, faults),
    }
    faults += _contradictions(url, headers, more)
    if faults:
        raise Invalid("The destination's settings are not valid", faults=faults)
    return {"url": url, "headers": headers, **{name: value for name, value in more.items() if value}}


def _contradictions(url: str, headers: Mapping[str, str], more: Mapping[str, Any]) -> Iterator[Fault]:
    """What is fine by itself, but not together."""
    if more["auth"] and "authorization" in headers:
        yield Fault("/headers/authorization", "is what `auth` makes: give one of the two", "conflict")
    if more["tls"] and url.startswith("http:"):
        yield Fault("/tls", "has no use with an http URL: https is what shows certificates", "conflict")
    for name in headers:
        if name.startswith(CLOUDEVENTS):  # not among those that stop a stored config from being sent
            yield Fault(_pointer("headers", name), "is set by Trunkline itself, in CloudEvents", "reserved")


def masked(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config to show: the headers' names, not their values, and no secret of the others."""
    shown = {**config, "headers": dict.fromkeys(config.get("headers", {}), MASK)}
    return shown | {name: show(config[name]) for name, show in SHOWN.items() if config.get(name)}


SHOWN: Mapping[str, Callable[[Any], Any]] = {"auth": masked_auth, "tls": shown_tls, "proxy": masked_proxy}


def _clean_url(url: object, policy: EgressPolicy, faults: list[Fault]) -> str:
    if not isinstance(url, str) or not url:
        faults.append(Fault("/url", "is required: the URL to send to", "required"))
        return ""
    try:
        return vet_url(url, policy)
    except Invalid as problem:
        faults.extend(problem.faults)
        return ""


def _clean_headers(headers: object, faults: list[Fault]) -> dict[str, str]:
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        faults.append(Fault("/headers", "must be an object of names and values"))
        return {}
    if len(headers) > MOST_HEADERS:
        faults.append(Fault("/headers", f"has more than {MOST_HEADERS} headers", "too_long"))
        return {}
    faults.extend(faults_in(headers))
    cleaned = {str(name).lower(): str(value) for name, value in headers.items()}
    if sum(len(name) + len(value) for name, value in cleaned.items()) > MOST_BYTES:
        faults.append(Fault("/headers", f"is larger than {MOST_BYTES} bytes", "too_long"))
    return cleaned


def faults_in(headers: Mapping[Any, Any]) -> list[Fault]:
    """What keeps custom headers from being sent; none where all can be."""
    seen: set[str] = set()
    faults = []
    for name, value in headers.items():
        if fault := _fault_in(str(name).lower(), value, seen):
            faults.append(Fault(_pointer("headers", str(name)), *fault))
        seen.add(str(name).lower())
    return faults


def _fault_in(name: str, value: object, seen: set[str]) -> tuple[str, str] | None:
    if not NAME.fullmatch(name):
        return "is no valid header name", "invalid"
    if name in RESERVED or name.startswith(RESERVED_PREFIXES):
        return "is set by Trunkline itself", "reserved"
    if name in seen:
        return "is there twice", "duplicate"
    if value == MASK:
        return "is the mask that stands for a hidden value: send the value itself", "masked"
    if not isinstance(value, str) or not (value == "" or VALUE.fullmatch(value)):
        return "must be a string of printable ASCII characters", "invalid"
    return None


def _pointer(*steps: str) -> str:
    """A JSON Pointer (RFC 6901)."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
