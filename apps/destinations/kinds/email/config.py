"""An e-mail destination's settings: `to`, and an optional `subject_prefix`."""

from collections.abc import Mapping
from typing import Any

from apps.destinations.kinds.email.server import is_address
from apps.kernel.errors import Fault, Invalid
from apps.kernel.strict_json import pointer

MOST_ADDRESSES = 10
LONGEST_PREFIX = 64

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


def clean(config: Mapping[str, Any]) -> dict[str, Any]:
    """`{"to": [address], "subject_prefix": str}`; raises Invalid naming every fault at once."""
    faults = [Fault(pointer(name), "unknown field", "unknown_field") for name in config if name not in FIELDS]
    faults += _faults_in_to(config.get("to"))
    prefix = config.get("subject_prefix") or ""
    if not isinstance(prefix, str) or len(prefix) > LONGEST_PREFIX or not prefix.isprintable():
        faults.append(Fault("/subject_prefix", f"must be at most {LONGEST_PREFIX} printable characters"))
    if faults:
        raise Invalid("The destination's settings are not valid", faults=faults)
    return {"to": list(dict.fromkeys(config["to"])), "subject_prefix": prefix.strip()}


def _faults_in_to(to: object) -> list[Fault]:
    if to is None or to == []:
        return [Fault("/to", "is required: the addresses to write to", "required")]
    if not isinstance(to, list | tuple):
        return [Fault("/to", "must be an array of addresses", "wrong_type")]
    if len(to) > MOST_ADDRESSES:
        return [Fault("/to", f"has more than {MOST_ADDRESSES} addresses", "too_long")]
    wrong = [place for place, one in enumerate(to) if not is_address(one)]
    return [Fault(f"/to/{place}", "is no plain address: somebody@example.com") for place in wrong]
