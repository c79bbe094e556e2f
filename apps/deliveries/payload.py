"""The body of a webhook delivery: `{"type", "timestamp", "data"}` (Standard Webhooks 1.0, "Payload structure")."""

import json
from datetime import datetime
from functools import lru_cache

from apps.kernel.clock import isoformat


def webhook_body(type: str, time: datetime, data: bytes) -> bytes:
    """The same bytes for the same event, always; `data` goes in as the producer wrote it."""
    return b'%b%b","data":%b}' % (_head(type), isoformat(time).encode(), data)


@lru_cache(1_000)
def _head(type: str) -> bytes:
    return f'{{"type":{json.dumps(type)},"timestamp":"'.encode()
