"""Request ids: in where they are fit to be logged, made where not, always out."""

from uuid import UUID

import pytest
import structlog
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from config.middleware import RequestIds

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
UNFIT = ["", " ", "a b", "a\tb", "ü", "x" * 129, "<script>", 'a"b', "a\x1b[31m"]


class Recorded:
    """What the view behind the middleware saw."""

    def __init__(self) -> None:
        self.header = ""
        self.bound: dict[str, object] = {}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self.header = request.headers["x-request-id"]
        self.bound = structlog.contextvars.get_contextvars()
        return HttpResponse("ok")


def ask(seen: Recorded, **headers: str) -> HttpResponse:
    return RequestIds(seen)(RequestFactory().get("/", headers=headers))


@pytest.mark.parametrize("given", ["a", "req-1", "A.b:c/d+e=f@g_h", "x" * 128])
def test_a_fit_one_goes_through(given: str) -> None:
    seen = Recorded()
    response = ask(seen, **{"X-Request-Id": given})
    assert (response["X-Request-Id"], seen.header, seen.bound["request_id"]) == (given, given, given)


@pytest.mark.parametrize("given", UNFIT)
def test_an_unfit_one_is_replaced_everywhere(given: str) -> None:
    seen = Recorded()
    made = ask(seen, **{"X-Request-Id": given})["X-Request-Id"]
    assert UUID(made).version == 7
    assert (seen.header, seen.bound["request_id"]) == (made, made)


def test_without_one_each_request_gets_its_own() -> None:
    assert ask(Recorded())["X-Request-Id"] != ask(Recorded())["X-Request-Id"]


@pytest.mark.parametrize(
    ("header", "trace"),
    [(f"00-{TRACE}-00f067aa0ba902b7-01", TRACE), (f"00-{TRACE}-00f067aa0ba902b7-1", None), ("nonsense", None)],
)
def test_the_trace_is_bound_to_the_log_lines(header: str, trace: str | None) -> None:
    seen = Recorded()
    ask(seen, traceparent=header)
    assert seen.bound.get("trace_id") == trace


def test_nothing_stays_bound_even_after_a_bug() -> None:
    def broken(request: HttpRequest) -> HttpResponse:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError):
        RequestIds(broken)(RequestFactory().get("/"))
    assert structlog.contextvars.get_contextvars() == {}
