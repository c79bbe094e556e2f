"""Request ids and trace ids: in, bound to every log line, and out. Health pages for whoever asks, by whatever name."""

import re
from collections.abc import Callable, Mapping

import structlog
from django.http import HttpRequest, HttpResponse

from apps.kernel.errors import LengthRequired
from apps.kernel.ids import new_uuid
from apps.kernel.rest import problem_page
from apps.ops import views

ACCEPTABLE = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class RequestIds:
    """Takes `X-Request-Id` where it is acceptable, else makes one; echoes it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")  # `headers` is cached at its first use
        request_id = given if ACCEPTABLE.fullmatch(given) else str(new_uuid())
        request.META["HTTP_X_REQUEST_ID"] = request_id  # what the logging middleware reads
        trace = TRACEPARENT.fullmatch(request.META.get("HTTP_TRACEPARENT", ""))
        structlog.contextvars.bind_contextvars(request_id=request_id, **({"trace_id": trace[1]} if trace else {}))
        try:
            response = self.get_response(request)
        finally:
            structlog.contextvars.clear_contextvars()
        response["X-Request-Id"] = request_id
        return response


class HealthPages:
    """Answers probes before the Host header is looked at: a container's or a pod's probe names it by address."""

    pages: Mapping[str, Callable[[HttpRequest], HttpResponse]] = {
        "/healthz": views.healthz,
        "/readyz": views.readyz,
        "/metrics": views.metrics,
    }

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.pages.get(request.path_info, self.get_response)(request)


class KnownLengths:
    """Refuses chunked bodies to the API: Django would take them for empty, and an empty body means "all of it"."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith("/api/") and "HTTP_TRANSFER_ENCODING" in request.META:
            return problem_page(request, LengthRequired("send the body with a Content-Length, not in chunks"))
        return self.get_response(request)
