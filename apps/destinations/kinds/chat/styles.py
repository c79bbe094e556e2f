"""How each chat wants a message, with nothing in it that the chat would act on: no mention, no link, no markup. Pure.

What is written comes from whoever publishes events and names destinations, and is read by whoever is in the channel.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

AUTO = "auto"
LONGEST = 2_000  # characters of a message, as sent: Discord takes no more
BREAK = "\u200b"  # a zero-width space, which ends a mention before it begins

type Escapes = Mapping[str, str]

SLACK: Escapes = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
FENCED: Escapes = {"`": "'", "@": f"@{BREAK}", "<": f"<{BREAK}"}
DISCORD: Escapes = {
    **{char: f"\\{char}" for char in "\\*_~`|>[]()#-"},
    "@": f"@{BREAK}",
    "<": f"\\<{BREAK}",
    ":": f":{BREAK}",  # neither an emoji nor a link
}
PLAIN: Escapes = {}

HOSTS: Mapping[str, str] = {  # or what ends in a dot and one of them
    "hooks.slack.com": "slack",
    "discord.com": "discord",
    "discordapp.com": "discord",
    "webhook.office.com": "teams",
    "logic.azure.com": "teams",
    "api.powerplatform.com": "teams",
}


def style_for(url: str) -> str:
    """By the host; `text` is what Mattermost, Rocket.Chat, Google Chat and most others take."""
    host = urlsplit(url).hostname or ""
    return next((style for name, style in HOSTS.items() if host == name or host.endswith(f".{name}")), "text")


def message(style: str, text: str) -> bytes:
    """The body to post."""
    return json.dumps(STYLES[style](text), ensure_ascii=False).encode()


def escaped(text: str, escapes: Escapes, most: int = LONGEST) -> str:
    """No longer than `most` afterwards, and never cut within an escape."""
    parts: list[str] = []
    left = most
    for char in text:
        part = escapes.get(char, char)
        if len(part) > left - 1:
            return "".join(parts) + "…"
        parts.append(part)
        left -= len(part)
    return "".join(parts)


def _slack(text: str) -> dict[str, Any]:
    return {"text": escaped(text, SLACK), "mrkdwn": False, "unfurl_links": False, "unfurl_media": False}


def _text(text: str) -> dict[str, Any]:
    """In a fence: Mattermost and its like would render images and alert whole channels."""
    return {"text": f"```\n{escaped(text, FENCED, LONGEST - 8)}\n```"}


def _discord(text: str) -> dict[str, Any]:
    return {"content": escaped(text, DISCORD), "allowed_mentions": {"parse": []}, "flags": 4}  # no embeds


def _teams(text: str) -> dict[str, Any]:
    """A card whose text runs take no Markdown."""
    runs = [{"type": "TextRun", "text": f"{line}\n"} for line in escaped(text, PLAIN).splitlines()]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [{"type": "RichTextBlock", "inlines": runs}],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


STYLES: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "slack": _slack,
    "text": _text,
    "discord": _discord,
    "teams": _teams,
}
