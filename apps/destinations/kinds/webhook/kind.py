"""What the platform asks of a kind, answered for webhooks."""

from collections.abc import Callable, Mapping
from typing import Any

from pyreqwest.http import Url

from apps.accounts.egress import EgressRules
from apps.destinations.egress import EgressPolicy, narrowed, vet_resolved
from apps.destinations.kinds.webhook.config import FIELDS, clean, masked
from apps.destinations.kinds.webhook.form import FORM
from apps.destinations.kinds.webhook.sender import WebhookSender
from apps.destinations.kinds.webhook.settings import get_policy
from apps.kernel.errors import Fault, Invalid

PATIENCE = 2.0  # seconds a person waits for the look-up when making a destination


class WebhookKind:
    """`url` and optional `headers`; see config.py."""

    name = "webhook"
    title = "Webhook"
    fields = FIELDS
    form = FORM
    signs = takes_events = True

    def __init__(self, policy: Callable[[], EgressPolicy] = get_policy) -> None:
        self._policy = policy

    def unavailable(self) -> str:
        return ""

    def clean(self, config: Mapping[str, Any], egress: EgressRules | None = None) -> dict[str, Any]:
        """The config as it is stored; raises Invalid. May wait for the DNS, so call it outside a transaction."""
        policy = narrowed(self._policy(), egress)
        cleaned = clean(config, policy)
        vet_resolved(cleaned["url"], policy, PATIENCE)
        return cleaned

    def change(self, config: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """Headers don't follow a webhook to another host: who may change a URL may not read their tokens."""
        changed = {**config, **given}
        if config.get("headers") and "headers" not in given and _origin(changed) not in {_origin(config), ""}:
            fault = Fault("/headers", "send the headers too: their values don't go along to another host", "required")
            raise Invalid("The URL's host changes, and there are custom headers", faults=[fault])
        return changed

    def public(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The config with the values of its headers masked: they are where tokens are put."""
        return masked(config)

    def summary(self, config: Mapping[str, Any]) -> str:
        """The URL without its query, which may hold a token."""
        return str(config["url"]).partition("?")[0]

    def sender(self) -> WebhookSender:
        """An async context manager; one per event loop, and never made before a fork."""
        return WebhookSender(self._policy())


def _origin(config: Mapping[str, Any]) -> str:
    """Scheme, host and port as the sender will read them; empty for what is no URL, which `clean` refuses."""
    try:
        return Url(str(config.get("url"))).origin_ascii
    except ValueError:
        return ""
