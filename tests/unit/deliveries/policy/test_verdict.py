"""What an answer means, by table; and that no answer can make the policy stumble."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.deliveries.policy.verdict import LONGEST_RETRY_AFTER, Verdict, judge, parse_retry_after
from apps.deliveries.states import Edge

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


SUCCEEDED, FAILED = Verdict(Edge.SUCCEEDED), Verdict(Edge.FAILED)
STATUSES = [
    (None, FAILED),  # no answer at all
    (100, FAILED),
    (199, FAILED),
    (200, SUCCEEDED),
    (204, SUCCEEDED),
    (299, SUCCEEDED),
    (300, FAILED),
    (301, FAILED),  # redirects are never followed
    (400, FAILED),  # receivers answer 400 while they are being deployed, too
    (404, FAILED),
    (409, FAILED),
    (410, Verdict(Edge.REJECTED, disables=True)),
    (429, FAILED),
    (500, FAILED),
    (503, FAILED),
    (999, FAILED),
]


@pytest.mark.parametrize(("status_code", "verdict"), STATUSES)
def test_statuses(status_code: int | None, verdict: Verdict) -> None:
    assert judge(status_code, "", NOW) == verdict


@pytest.mark.parametrize(
    ("status_code", "heeded"), [(429, True), (503, True), (500, False), (301, False), (200, False), (410, False)]
)
def test_only_429_and_503_may_ask_to_wait(status_code: int, heeded: bool) -> None:
    assert judge(status_code, "120", NOW).not_before == (after(120) if heeded else None)


RETRY_AFTER = [
    ("Mon, 01 Jan 2030 00:00:00 +99999999999999999", None),  # an offset no clock has
    ("Fri, 31 Dec 9999 23:59:59 -2359", after(86_400)),  # past the last year when put into UTC
    ("0", None),
    ("1", after(1)),
    (" 120 ", after(120)),
    ("86400", after(86_400)),  # 24 h, the most
    ("86401", after(86_400)),
    ("999999999999999999999999", after(86_400)),
    ("-1", None),
    ("1.5", None),
    ("1e3", None),
    ("٣", None),  # a digit, but not one of HTTP's
    ("", None),
    ("soon", None),
    ("Sun, 01 Mar 2026 12:00:30 GMT", after(30)),
    ("Sunday, 01-Mar-26 12:00:30 GMT", after(30)),  # RFC 850, still to be understood (RFC 9110, 5.6.7)
    ("Sun Mar  1 12:00:30 2026", after(30)),  # asctime
    ("Sun, 01 Mar 2026 13:00:30 +0100", after(30)),
    ("Sun, 01 Mar 2026 12:00:00 GMT", None),  # now is not later
    ("Sat, 28 Feb 2026 12:00:00 GMT", None),
    ("Fri, 31 Dec 9999 23:59:59 GMT", after(86_400)),
    ("Fri, 31 Dec 9999 23:59:59 -2359", after(86_400)),
    ("Mon, 01 Jan 0001 00:00:00 +2359", None),
    ("Sun, 99 Mar 2026 12:00:30 GMT", None),
    ("Sun, 01 Mar 2026 12:00:30 +9999", None),
]


@pytest.mark.parametrize(("text", "expected"), RETRY_AFTER)
def test_retry_after(text: str, expected: datetime | None) -> None:
    assert parse_retry_after(text, NOW) == expected


@given(st.one_of(st.text(), st.integers().map(str), st.datetimes().map(lambda t: t.strftime("%a, %d %b %Y %T GMT"))))
def test_any_text_is_a_time_within_bounds_or_nothing(text: str) -> None:
    moment = parse_retry_after(text, NOW)
    assert moment is None or NOW < moment <= NOW + LONGEST_RETRY_AFTER


@given(st.one_of(st.none(), st.integers(min_value=0, max_value=999)), st.text())
def test_every_answer_has_a_verdict_that_is_one_of_three(status_code: int | None, retry_after: str) -> None:
    verdict = judge(status_code, retry_after, NOW)
    assert verdict.edge in {Edge.SUCCEEDED, Edge.FAILED, Edge.REJECTED}
    assert verdict.disables == (status_code == 410)
