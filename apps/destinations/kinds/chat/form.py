"""A chat destination's settings as lines of text."""

from collections.abc import Sequence

from apps.destinations.kinds.base import FormField
from apps.destinations.kinds.chat.styles import AUTO

TITLES = (
    (AUTO, "by the host"),
    ("slack", "Slack"),
    ("text", "Mattermost, Rocket.Chat, Google Chat"),
    ("discord", "Discord"),
    ("teams", "Microsoft Teams"),
)

FORM: Sequence[FormField] = (
    FormField("url", "URL", "The incoming webhook's. It is a secret: only its host is shown again."),
    FormField("style", "Style", "What a message looks like.", choices=TITLES),
)
