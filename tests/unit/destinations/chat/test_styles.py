"""What each chat is sent, and that nobody in it is alerted, linked or shown an image by what an event says."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.destinations.kinds import Message, Target
from apps.destinations.kinds.chat.sender import body_of
from apps.destinations.kinds.chat.styles import LONGEST, STYLES, message, style_for

HOSTILE = (
    "<!channel> @everyone @here <@U1> <users/all> [x](http://e.example) ![i](http://e.example/i.png) ``` **b** :x:"
)


def text_in(style: str, body: bytes) -> str:
    """What a person would read, and the chat interpret."""
    sent: Any = json.loads(body)
    if style == "teams":
        runs = sent["attachments"][0]["content"]["body"][0]["inlines"]
        return "".join(run["text"] for run in runs)
    return str(sent["content" if style == "discord" else "text"])


@pytest.mark.parametrize(
    ("url", "style"),
    [
        ("https://hooks.slack.com/services/T/B/x", "slack"),
        ("https://discord.com/api/webhooks/1/x", "discord"),
        ("https://canary.discord.com/api/webhooks/1/x", "discord"),
        ("https://acme.webhook.office.com/webhookb2/x", "teams"),
        ("https://prod-1.westeurope.logic.azure.com:443/workflows/x", "teams"),
        ("https://chat.googleapis.com/v1/spaces/x", "text"),
        ("https://mattermost.example.com/hooks/x", "text"),
        ("https://nothooks.slack.com.evil.example/", "text"),
        ("https://evildiscord.com/", "text"),
    ],
)
def test_the_style_goes_by_the_host(url: str, style: str) -> None:
    assert style_for(url) == style


def test_slack() -> None:
    sent = json.loads(message("slack", HOSTILE))
    assert sent["text"].startswith("&lt;!channel&gt; @everyone")
    assert "<" not in sent["text"]
    assert (sent["mrkdwn"], sent["unfurl_links"]) == (False, False)


def test_mattermost_and_its_like() -> None:
    text = text_in("text", message("text", HOSTILE))
    assert text.startswith("```\n")
    assert text.endswith("\n```")
    assert "`" not in text[3:-3]
    assert "@e" not in text
    assert "<!" not in text
    assert "<u" not in text


def test_discord() -> None:
    sent = json.loads(message("discord", HOSTILE))
    assert sent["allowed_mentions"] == {"parse": []}
    assert "@e" not in sent["content"]
    assert "[x]" not in sent["content"]
    assert "://" not in sent["content"]
    assert "\\*\\*b" in sent["content"]


def test_teams_is_a_card_without_markdown() -> None:
    sent = json.loads(message("teams", f"{HOSTILE}\nsecond"))
    [attachment] = sent["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    [block] = attachment["content"]["body"]
    assert block["type"] == "RichTextBlock"
    assert [run["type"] for run in block["inlines"]] == ["TextRun", "TextRun"]


@pytest.mark.parametrize("style", STYLES)
@settings(deadline=None)
@given(text=st.text(max_size=5_000))
def test_never_longer_than_a_chat_takes(style: str, text: str) -> None:
    assert len(text_in(style, message(style, text))) <= LONGEST + text.count("\n") + 1


@pytest.mark.parametrize("style", STYLES)
def test_a_long_one_is_cut_and_says_so(style: str) -> None:
    text = text_in(style, message(style, "<" * 5_000))
    assert LONGEST - 20 <= len(text) <= LONGEST + 1
    assert "…" in text[-5:]
    assert "&l…" not in text


def test_an_event_in_words() -> None:
    body = {
        "type": "delivery.dead",
        "timestamp": "2026-11-22T20:41:07.113862Z",
        "data": {"destination": {"name": "Acme\n@all"}, "count": 3, "deliveries": [{"id": "dlv_1"}], "until": None},
    }
    config = {"url": "https://hooks.slack.com/services/x", "style": "auto"}
    sent = body_of(Target("dst_1", config), Message("evt_1", json.dumps(body).encode()))
    assert json.loads(sent)["text"].splitlines() == [
        "Deliveries are dead: Acme @all",
        "type: delivery.dead",
        "time: 2026-11-22T20:41:07.113862+00:00",
        "destination.name: Acme @all",
        "count: 3",
        "deliveries[0].id: dlv_1",
        "event: evt_1",
    ]
