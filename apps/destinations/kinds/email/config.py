"""An e-mail destination's settings: `to`, and an optional `subject_prefix`."""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.destinations.kinds.email.domains import outside
from apps.destinations.kinds.email.failures import DOMAIN_REFUSED
from apps.destinations.kinds.email.server import is_address
from apps.kernel.errors import Fault, Invalid
from apps.kernel.strict_json import pointer

MOST_ADDRESSES = 10
LONGEST_PREFIX = 64
RULE = "not at one of the domains letters may go to (TRUNKLINE_EMAIL_DOMAINS), or has a % or ! that may lead elsewhere"

FIELDS: Mapping[str, Any] = {
    "to": {
        "type": "array",
        "items": {"type": "string", "format": "email", "maxLength": 254},
        "minItems": 1,
        "maxItems": MOST_ADDRESSES,
        "description": "email: who gets the letters",
    },
    "subject_prefix": {
        "type": "string",
        "maxLength": LONGEST_PREFIX,
        "description": "email: what every subject begins with, such as [billing]",
    },
}


def clean(config: Mapping[str, Any], domains: Sequence[str] = ()) -> dict[str, Any]:
    """`{"to": [address], "subject_prefix": str}`; raises Invalid naming every fault at once.

    `domains` as `parse_domain` makes them; none are any.
    """
    faults = [Fault(pointer(name), "unknown field", "unknown_field") for name in config if name not in FIELDS]
    faults += _faults_in_to(config.get("to"), domains)
    prefix = config.get("subject_prefix") or ""
    if not isinstance(prefix, str) or len(prefix) > LONGEST_PREFIX or not prefix.isprintable():
        faults.append(Fault("/subject_prefix", f"must be at most {LONGEST_PREFIX} printable characters"))
    if faults:
        raise Invalid("The destination's settings are not valid", faults=faults)
    return {"to": list(dict.fromkeys(config["to"])), "subject_prefix": prefix.strip()}


def _faults_in_to(to: object, domains: Sequence[str]) -> list[Fault]:
    if to is None or to == []:
        return [Fault("/to", "is required: the addresses to write to", "required")]
    if not isinstance(to, list | tuple):
        return [Fault("/to", "must be an array of addresses", "wrong_type")]
    if len(to) > MOST_ADDRESSES:
        return [Fault("/to", f"has more than {MOST_ADDRESSES} addresses", "too_long")]
    wrong = [place for place, one in enumerate(to) if not is_address(one)]
    stray = [place for place in outside(to, domains) if place not in wrong]
    return [
        *(Fault(f"/to/{place}", "is no plain address: somebody@example.com") for place in wrong),
        *(Fault(f"/to/{place}", f"is refused: {RULE}", DOMAIN_REFUSED) for place in stray),
    ]
