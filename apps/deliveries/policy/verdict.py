"""What an attempt's outcome means."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from apps.deliveries.states import Edge

LONGEST_RETRY_AFTER = timedelta(hours=24)
SLOW_DOWN = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


@dataclass(frozen=True, slots=True)
class Verdict:
    """`edge` says succeeded, failed or rejected; `not_before` is the receiver's own wish, if it had one."""

    edge: Edge
    not_before: datetime | None = None
    disables: bool = False  # the destination is gone for good


SUCCEEDED, FAILED = Verdict(Edge.SUCCEEDED), Verdict(Edge.FAILED)


def judge(status_code: int | None, retry_after: str, now: datetime) -> Verdict:
    """2xx is success, 410 the end, and all else, no answer included, worth another try (Standard Webhooks 1.0)."""
    if status_code is None:
        return FAILED
    if 200 <= status_code < 300:
        return SUCCEEDED
    if status_code == HTTPStatus.GONE:
        return Verdict(Edge.REJECTED, disables=True)
    if status_code in SLOW_DOWN:
        return Verdict(Edge.FAILED, not_before=parse_retry_after(retry_after, now))
    return FAILED


def parse_retry_after(text: str, now: datetime) -> datetime | None:
    """Seconds or an HTTP date (RFC 9110 §10.2.3), at most 24 hours ahead; None for the past or nonsense."""
    latest = now + LONGEST_RETRY_AFTER
    try:
        moment = _moment(text.strip(), now)
        return min(moment, latest) if moment > now else None
    except (ValueError, OverflowError):  # an offset of a billion hours overflows, also when it is compared
        return None


def _moment(text: str, now: datetime) -> datetime:
    if text.isascii() and text.isdigit():
        return now + timedelta(seconds=int(text[:9]))
    moment = parsedate_to_datetime(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
