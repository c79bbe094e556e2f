"""One attempt at a chat: the event in words, posted as a webhook is, to vetted addresses only, but unsigned."""

import msgspec

from apps.destinations.kinds.base import Message, Outcome, Target
from apps.destinations.kinds.chat.config import WHY, is_private
from apps.destinations.kinds.chat.styles import AUTO, message, style_for
from apps.destinations.kinds.webhook.failures import HTTPS_REQUIRED, REQUEST_FAILED
from apps.destinations.kinds.webhook.request import unsigned_head
from apps.destinations.kinds.webhook.route import Route
from apps.destinations.kinds.webhook.sender import WebhookSender
from apps.destinations.kinds.wording import headline, lines_of, said_in


class ChatSender(WebhookSender):
    """Differs from a webhook's in what it posts."""

    async def send(self, target: Target, event: Message) -> Outcome:
        """One attempt, over within `target.timeout` seconds. Raises nothing but CancelledError."""
        try:
            if not is_private(str(target.config["url"]), self._policy):  # stored before there was the rule
                return Outcome(error=HTTPS_REQUIRED, detail=f"the URL is not https: {WHY}")
            worded = Message(id=event.id, body=body_of(target, event), traceparent=event.traceparent)
        except (msgspec.MsgspecError, KeyError) as error:
            return Outcome(error=REQUEST_FAILED, detail=f"{type(error).__name__}: it can't be put into words")
        return await super().send(target, worded)

    def _head(self, route: Route, target: Target, event: Message) -> bytes:
        return unsigned_head(route, event)


def body_of(target: Target, event: Message) -> bytes:
    """The same for the same event, always."""
    said, url = said_in(event), str(target.config["url"])
    style = target.config.get("style") or AUTO
    text = "\n".join([headline(said), *lines_of(said), f"event: {event.id}"])
    return message(style_for(url) if style == AUTO else style, text)
