"""A chat destination's settings: the `url` of an incoming webhook, which is a secret, and an optional `style`."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from apps.destinations.egress import EgressPolicy, vet_url
from apps.destinations.egress.policy import HTTPS_REQUIRED
from apps.destinations.kinds.chat.styles import AUTO, STYLES
from apps.kernel.errors import Fault, Invalid
from apps.kernel.strict_json import pointer

MASK = "********"
WHY = "who reads the URL may write to the channel"

FIELDS: Mapping[str, Any] = {
    "url": {
        "type": "string",
        "format": "uri",
        "maxLength": 2048,
        "description": "chat: the https URL of an incoming webhook; answers show its host only",
    },
    "style": {
        "type": "string",
        "enum": [AUTO, *STYLES],
        "default": AUTO,
        "description": "chat: what a message looks like; auto tells by the host",
    },
}


def clean(config: Mapping[str, Any], policy: EgressPolicy) -> dict[str, Any]:
    """`{"url": str, "style": str}`; raises Invalid naming every fault at once."""
    faults = [Fault(pointer(name), "unknown field", "unknown_field") for name in config if name not in FIELDS]
    style = config.get("style") or AUTO
    if not isinstance(style, str) or style not in {AUTO, *STYLES}:
        faults.append(Fault("/style", f"must be one of {', '.join([AUTO, *STYLES])}"))
    url = _clean_url(config.get("url"), policy, faults)
    if faults:
        raise Invalid("The destination's settings are not valid", faults=faults)
    return {"url": url, "style": style}


def _clean_url(url: object, policy: EgressPolicy, faults: list[Fault]) -> str:
    if not isinstance(url, str) or not url:
        faults.append(Fault("/url", "is required: the URL of an incoming webhook", "required"))
        return ""
    if MASK in url:
        faults.append(Fault("/url", "is the mask that stands for the hidden URL: send the URL itself", "masked"))
        return ""
    try:
        vetted = vet_url(url, policy)
    except Invalid as problem:
        faults.extend(problem.faults)
        return ""
    if not is_private(vetted, policy):
        faults.append(Fault("/url", f"must be https: {WHY}", HTTPS_REQUIRED))
    return vetted


def is_private(url: str, policy: EgressPolicy) -> bool:
    """Whether nobody on the way reads the URL, which is the secret."""
    return url.startswith("https://") or _is_inside(url, policy)


def _is_inside(url: str, policy: EgressPolicy) -> bool:
    """An address in a network that the operator opened."""
    try:
        return policy.allows(ip_address(urlsplit(url).hostname or ""))
    except ValueError:
        return False


def masked(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config to show: who knows the URL may write to the channel."""
    parts = urlsplit(str(config["url"]))
    return {**config, "url": f"{parts.scheme}://{parts.netloc}/{MASK}"}
