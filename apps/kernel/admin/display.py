"""How values are shown: JSON to the digit, bytes from strangers, moments to the second, ids with links."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.kernel import ids
from apps.kernel.admin.actions import change_url

MOST_SHOWN = 100_000  # characters of a payload
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")  # what could garble or reorder the line


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part of a page; `content` is HTML."""

    title: str
    content: SafeString


def facts(values: Mapping[str, Any]) -> SafeString:
    """Names beside their values, escaped unless marked safe."""
    return render_to_string("admin/facts.html", {"facts": values})


def badge(text: str, colour: str) -> SafeString:
    """A label; `colour` is info, success, warning, danger or default."""
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": colour})


def pretty_json(raw: bytes) -> str:
    """The JSON text indented; numbers and strings stay as the producer wrote them, since nothing parses them."""
    try:
        shown = msgspec.json.format(raw, indent=2) if len(raw) <= MOST_SHOWN else raw
    except msgspec.MsgspecError:
        shown = raw
    text = bytes(shown).decode(errors="replace")
    if len(text) <= MOST_SHOWN:
        return text
    return f"{text[:MOST_SHOWN]}\n… cut here: the whole has {len(raw):,} bytes"


def readable(raw: bytes | memoryview) -> str:
    """A stranger's bytes as text, with a mark for what is no text."""
    return CONTROLS.sub("\ufffd", bytes(raw).decode(errors="replace"))


def code_block(text: str, name: str = "JSON") -> SafeString:
    """Escaped text in a box of its own, with a button that copies it."""
    return render_to_string("admin/code_block.html", {"text": text, "name": name})


def moment(time: datetime | None) -> SafeString | str:
    """To the second, in UTC; to the microsecond on hovering."""
    if time is None:
        return "–"
    exact, shown = time.isoformat(), f"{time:%Y-%m-%d %H:%M:%S}"
    return format_html('<time datetime="{}" title="{}" class="tl-time">{}</time>', exact, exact, shown)


def mono(text: str) -> SafeString:
    """An id or key, to be read and copied."""
    return format_html('<span class="tl-id">{}</span>', text)


def row_link(label: str, pk: Any, text: str) -> SafeString:
    """A link to the page of a row, `label` such as `events.event`."""
    return format_html('<a class="text-link" href="{}">{}</a>', change_url(label, pk), text)


def id_link(label: str, prefix: str, pk: Any) -> SafeString:
    """The row's public id as a link to its page."""
    return format_html('<a class="text-link tl-id" href="{}">{}</a>', change_url(label, pk), ids.encode(prefix, pk))
