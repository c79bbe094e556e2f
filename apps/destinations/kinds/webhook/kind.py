"""What the platform asks of a kind, answered for webhooks."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pyreqwest.http import Url

from apps.accounts.egress import EgressRules
from apps.destinations.egress import EgressPolicy, narrowed, vet_resolved
from apps.destinations.egress.proxy import parse_proxy
from apps.destinations.kinds.webhook.config import FIELDS, clean, masked
from apps.destinations.kinds.webhook.form import FORM
from apps.destinations.kinds.webhook.proxy import OperatorsProxy, stand_in
from apps.destinations.kinds.webhook.sender import WebhookSender
from apps.destinations.kinds.webhook.settings import get_policy, get_proxy
from apps.kernel.errors import Fault, Invalid

SECRETS = ("headers", "auth", "tls")
WHY = "this too: its values don't go along to another host, proxy or authority"
PATIENCE = 2.0  # seconds a person waits for the look-up when making a destination


class WebhookKind:
    """`url` and optional `headers`, `auth`, `tls` and `proxy`; see config.py."""

    name = "webhook"
    title = "Webhook"
    fields = FIELDS
    form = FORM
    signs = takes_events = True

    def __init__(
        self,
        policy: Callable[[], EgressPolicy] = get_policy,
        proxy: Callable[[], OperatorsProxy] = get_proxy,
    ) -> None:
        self._policy, self._proxy = policy, proxy

    def unavailable(self) -> str:
        return ""

    def clean(
        self, config: Mapping[str, Any], egress: EgressRules | None = None, *, before: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The config as it is stored; raises Invalid. May wait for the DNS, so call it outside a transaction."""
        policy = narrowed(self._policy(), egress)
        cleaned = clean(config, policy)
        self._refuse_proxy(cleaned, before or {})
        for pointer, url in _called(cleaned):
            _vet_resolved(url, policy, pointer)
        return cleaned

    def _refuse_proxy(self, cleaned: Mapping[str, Any], before: Mapping[str, Any]) -> None:
        """Where the operator's is in between, another one would do nothing. One that is stored may stay."""
        proxy = cleaned.get("proxy")
        if proxy and proxy != before.get("proxy") and self._proxy().via(Url(cleaned["url"]).host_str or ""):
            detail = "must be left out: deliveries to this host go through TRUNKLINE_EGRESS_PROXY"
            raise Invalid("The destination's settings are not valid", faults=[Fault("/proxy", detail, "proxy_refused")])

    def change(self, config: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """Secrets don't follow a webhook to another host, nor through another proxy, nor to whom another authority
        vouches for: who may change these may not read the secrets by it.
        """
        changed = {**config, **given}
        if _whereabouts(changed) in {_whereabouts(config), None}:
            return changed
        kept = [name for name in SECRETS if config.get(name) and name not in given]
        if faults := [Fault(f"/{name}", f"send {WHY}", "required") for name in kept]:
            raise Invalid("What the webhook goes to changes, and it has secrets", faults=faults)
        return changed

    def public(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The config without its secrets: the headers' values too, as they are where tokens are put."""
        return masked(config)

    def summary(self, config: Mapping[str, Any]) -> str:
        """The URL without its query, which may hold a token."""
        return str(config["url"]).partition("?")[0]

    def sender(self) -> WebhookSender:
        """An async context manager; one per event loop, and never made before a fork."""
        return WebhookSender(self._policy(), proxy=self._proxy())


def _called(cleaned: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every URL that is connected to, and the pointer to it."""
    yield "/url", cleaned["url"]
    if token_url := (cleaned.get("auth") or {}).get("token_url"):
        yield "/auth/token_url", token_url
    if cleaned.get("proxy"):
        yield "/proxy", stand_in(parse_proxy(cleaned["proxy"]))


def _vet_resolved(url: str, policy: EgressPolicy, pointer: str) -> None:
    try:
        vet_resolved(url, policy, PATIENCE)
    except Invalid as problem:
        faults = [Fault(pointer, fault.detail, fault.code) for fault in problem.faults]
        raise Invalid(problem.detail, faults=faults) from None


def _whereabouts(config: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Who gets to see the secrets; None for what is no URL, which `clean` refuses."""
    tls = config.get("tls")
    authority = str(tls.get("ca") or "") if isinstance(tls, Mapping) else ""
    try:
        origin = Url(str(config.get("url"))).origin_ascii
    except ValueError:
        return None
    return origin, str(config.get("proxy") or ""), "".join(authority.split())
