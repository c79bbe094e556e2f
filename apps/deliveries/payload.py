"""The body of a webhook delivery: `{"type", "timestamp", "data"}` (Standard Webhooks 1.0, "Payload structure")."""

import json
from datetime import datetime

from apps.kernel.clock import isoformat


def webhook_body(type: str, time: datetime, data: bytes) -> bytes:
    """The same bytes for the same event, always; `data` goes in as the producer wrote it."""
    head = f'{{"type":{json.dumps(type)},"timestamp":"{isoformat(time)}","data":'
    return head.encode() + data + b"}"
