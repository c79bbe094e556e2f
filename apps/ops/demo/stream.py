"""A producer, as a user's service would be: it posts an event now and then over HTTP."""

import json
import random
import time
import urllib.error
import urllib.request
from itertools import count

from apps.ops.demo.project import CONSUMERS


def publish(address: str, api_key: str, *, rate: float) -> None:
    """Post `rate` events a second to the API until the process ends."""
    for number in count(1):
        _post(address, api_key, _event(number))
        time.sleep(1 / rate)


def _event(number: int) -> dict[str, object]:
    event_type = random.choice(("invoice.created", "invoice.paid", "customer.updated"))  # noqa: S311
    data = {"id": f"in_{number}", "amount": random.randrange(100, 100_000), "currency": "eur"}  # noqa: S311
    return {
        "type": event_type,
        "consumer": random.choice(CONSUMERS),  # noqa: S311
        "data": data,
        "idempotency_key": f"demo-{time.time_ns()}",
    }


def _post(address: str, api_key: str, event: dict[str, object]) -> None:
    headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/api/v1/events", json.dumps(event).encode(), headers)  # noqa: S310
    try:
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310
    except urllib.error.URLError:
        time.sleep(0.5)  # the API is still starting, or stopping: the next event will tell
