"""Health pages and metrics: plain views, for machines, without authentication except the metrics' own token."""

import hmac
import os

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from apps.kernel.errors import Malformed, NotFound, Problem, Unauthenticated
from apps.kernel.rest import problem_page
from apps.ops import health

METRICS_REFUSED = "send the token as a bearer token"


def healthz(request: HttpRequest) -> JsonResponse:
    """This process is alive; asks nothing of anybody else."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """Whether Trunkline can do its work: 200, or 503 with the part that is down."""
    parts = health.parts()
    ok = all(part.ok for part in parts if part.needed)
    body = {
        "status": "ok" if ok else "unavailable",
        "parts": {p.name: {"ok": p.ok, "detail": p.detail, "milliseconds": p.milliseconds} for p in parts},
    }
    return JsonResponse(body, status=200 if ok else 503, headers={"Cache-Control": "no-store"})


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format, over all processes of this group."""
    if not may_see_metrics(request.headers.get("authorization", "")):
        return problem_page(request, Unauthenticated(METRICS_REFUSED))
    return HttpResponse(metrics_text(), content_type=CONTENT_TYPE_LATEST)


def may_see_metrics(authorization: str) -> bool:
    """Everybody, unless a token is set."""
    token = settings.METRICS_TOKEN
    expected = f"Bearer {token.get_secret_value()}" if token else authorization
    return hmac.compare_digest(authorization.encode(), expected.encode())


def metrics_text() -> bytes:
    """Over all processes of this group."""
    return generate_latest(_registry())


def _registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Any path that is nobody's."""
    return problem_page(request, NotFound("there is nothing at this path"))


def server_error(request: HttpRequest) -> HttpResponse:
    """A bug of ours: said plainly, without its insides."""
    return problem_page(request, Problem("something went wrong on our side; the request id finds it in the logs"))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """What Django itself refuses, such as a Host it is not served under."""
    return problem_page(request, Malformed("this request can't be answered; is the Host one we are served under?"))
