"""What the platform asks of a kind, answered for chats."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from apps.accounts.egress import EgressRules
from apps.destinations.egress import EgressPolicy, narrowed, vet_resolved
from apps.destinations.kinds.chat.config import FIELDS, clean, masked
from apps.destinations.kinds.chat.form import FORM
from apps.destinations.kinds.chat.sender import ChatSender
from apps.destinations.kinds.webhook.kind import PATIENCE
from apps.destinations.kinds.webhook.settings import get_policy


class ChatKind:
    """`url` and an optional `style`; see config.py. The URL itself is what proves who writes: nothing is signed."""

    name = "chat"
    title = "Chat"
    fields = FIELDS
    form = FORM
    signs = False
    takes_events = True

    def __init__(self, policy: Callable[[], EgressPolicy] = get_policy) -> None:
        self._policy = policy

    def unavailable(self) -> str:
        return ""

    def change(self, config: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        return {**config, **given}

    def clean(
        self, config: Mapping[str, Any], egress: EgressRules | None = None, *, before: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """May wait for the DNS, so call it outside a transaction."""
        policy = narrowed(self._policy(), egress)
        cleaned = clean(config, policy)
        vet_resolved(cleaned["url"], policy, PATIENCE)
        return cleaned

    def public(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return masked(config)

    def summary(self, config: Mapping[str, Any]) -> str:
        return urlsplit(str(config["url"])).netloc

    def sender(self) -> ChatSender:
        return ChatSender(self._policy())
