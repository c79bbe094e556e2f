"""The chat kind: an event as a message in a channel, by the incoming webhook of Slack, Teams, Discord and others."""

from apps.destinations.kinds.chat.kind import ChatKind
from apps.destinations.kinds.chat.sender import ChatSender

__all__ = ["KIND", "ChatKind", "ChatSender"]

KIND = ChatKind()
