"""The answers of a quota that is used up: RFC 9457 with `quota` and `limit`, and when to come back.

RateLimit and RateLimit-Policy are those of draft-ietf-httpapi-ratelimit-headers-10.
"""

from datetime import datetime
from math import ceil

from prometheus_client import Counter

from apps.accounts.quotas import over_quota
from apps.intake.policy.months import seconds_left
from apps.kernel.errors import Fault, TooLarge, TooMany

REFUSED = Counter("trunkline_quota_refusals", "Requests and events refused because a quota was used up", ["quota"])


def too_fast(limit: int, wait: float) -> TooMany:
    detail = f"the project may publish {limit:,} events a second; try again in a moment"
    return _later("events_per_second", limit, detail, wait, window="1")


def month_is_full(limit: int, moment: datetime) -> TooMany:
    detail = f"the project has had {limit:,} events accepted this month (UTC), which is its quota"
    return _later("events_per_month", limit, detail, seconds_left(moment))


def too_much_waits(limit: int, wait: float) -> TooMany:
    detail = f"{limit:,} deliveries of the project wait already, which is its quota; try again when some are delivered"
    return _later("backlog", limit, detail, wait)


def data_too_large(limit: int, size: int) -> TooLarge:
    detail = f"the data has {size:,} bytes; the project may send {limit:,}"
    return over_quota(TooLarge, "payload_bytes", limit, detail, faults=[Fault("/data", detail, "too_large")])


def _later(quota: str, limit: int, detail: str, wait: float, window: str = "") -> TooMany:
    seconds = max(1, ceil(wait))
    headers = {
        "Retry-After": str(seconds),
        "RateLimit-Policy": f'"{quota}";q={limit}' + (f";w={window}" if window else ""),
        "RateLimit": f'"{quota}";r=0;t={seconds}',
    }
    return over_quota(TooMany, quota, limit, detail, headers=headers)
