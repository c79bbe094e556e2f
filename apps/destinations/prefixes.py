"""The signature's header names under another prefix than `webhook-`: they must not meet a destination's own headers."""

from collections.abc import Mapping
from typing import Any

from apps.kernel.errors import Fault, Invalid

POINTER = "/policy/signing/header_prefix"
PARTS = ("id", "timestamp", "signature")
TAKEN = {"ce-": "is CloudEvents' own", "proxy-": "is about the connection"}


def refuse_collision(policy: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Raises Invalid where the policy's prefix makes a name that something else sends."""
    prefix = policy.get("signing", {}).get("header_prefix", "")
    detail = TAKEN.get(prefix) or _met(prefix, config.get("headers") or {})
    if prefix and detail:
        raise Invalid("the header prefix can't be used", faults=[Fault(POINTER, detail, "duplicate")])


def _met(prefix: str, headers: Mapping[str, Any]) -> str:
    met = [name for part in PARTS if (name := prefix + part) in headers]
    return f"makes {', '.join(met)}, which is among the destination's own headers" if met else ""
