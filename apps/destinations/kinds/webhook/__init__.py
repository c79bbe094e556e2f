"""The webhook kind: an HTTP POST signed as Standard Webhooks 1.0 says, to an address the egress policy permits."""

from apps.destinations.kinds.webhook.kind import WebhookKind
from apps.destinations.kinds.webhook.sender import WebhookSender

__all__ = ["KIND", "WebhookKind", "WebhookSender"]

KIND = WebhookKind()
