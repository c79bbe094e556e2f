"""Which content types a door takes, and that they are UTF-8."""

import re
from collections.abc import Mapping
from functools import lru_cache

from apps.kernel.errors import Unsupported

JSON = "application/json"
STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"

_SYNTAX = re.compile(r"\s*([\w!#$&^.+-]+/[\w!#$&^.+-]+)\s*(?:;.*)?", re.ASCII | re.DOTALL)
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s\";]*)", re.IGNORECASE)


@lru_cache(maxsize=256)
def media_type(content_type: str) -> str:
    """`type/subtype` in lower case, empty if there is none; raises Unsupported for a charset but UTF-8."""
    found = _SYNTAX.fullmatch(content_type)
    charset = _CHARSET.search(content_type)
    if charset and charset[1].lower() not in {"utf-8", "utf8"}:
        raise Unsupported(f"the charset must be utf-8, not {charset[1][:50]}")
    return found[1].lower() if found else ""


def is_json(media: str) -> bool:
    """Whether the media type is JSON: `application/json` or whatever ends in `+json` (RFC 6839)."""
    return media.endswith(("/json", "+json"))


def unsupported(content_type: str, *taken: str) -> Unsupported:
    """The 415 that names what is taken, in words and as the Accept header of RFC 9110, 15.5.16."""
    got = f"the content type {content_type[:100]!r}" if content_type else "a body without a content type"
    return Unsupported(f"{got} isn't taken here; send {' or '.join(taken)}", headers={"Accept": ", ".join(taken)})


def refuse_compressed(headers: Mapping[str, str]) -> None:
    """Raises Unsupported for a body that is still compressed."""
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in {"", "identity"}:
        raise Unsupported("the body must not be compressed", headers={"Accept-Encoding": "identity"})
