"""The REST door: POST /events and /events/batch."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.api_auth import principal_of
from apps.intake import api_docs, doors
from apps.kernel.errors import Fault, Invalid, TooLarge

CHUNK = 64 * 1024
MOST_DRAINED = 32_000_000  # of a body that is too large: enough for an honest client to hear the answer


class Publishing:
    """POST on the collection of events; config joins it with the reading half, which is another app's."""

    @extend_schema(**api_docs.PUBLISH)
    def create(self, request: Request) -> Response:
        answer = doors.accept_event(principal_of(request).project, *_parts(request))
        return Response(answer, status=status.HTTP_202_ACCEPTED)


class BatchPublishing(APIView):
    """Publish up to 1,000 events."""

    area = "events"

    @extend_schema(**api_docs.PUBLISH_BATCH)
    def post(self, request: Request) -> Response:
        project = principal_of(request).project
        answer = doors.accept_batch(project, *_parts(request), atomic=_flag(request, "atomic"))
        return Response(answer, status=status.HTTP_202_ACCEPTED)


def _parts(request: Request) -> tuple[str, dict[str, str], bytes]:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return headers.get("content-type", ""), headers, read_body(request._request)


def read_body(request: HttpRequest) -> bytes:
    """The body; raises TooLarge after reading what the client insists on sending, so that it hears why."""
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if length > limit:
        _drain(request, min(length, MOST_DRAINED))
        raise TooLarge(f"the body has {length:,} bytes; at most {limit:,} are taken")
    return request.body


def _drain(request: HttpRequest, remaining: int) -> None:
    while remaining > 0 and (chunk := request.read(min(CHUNK, remaining))):
        remaining -= len(chunk)


def _flag(request: Request, name: str) -> bool:
    text: Any = request.query_params.get(name, "false")
    if text not in {"true", "false"}:
        raise Invalid(f"?{name} must be true or false", faults=[Fault(f"?{name}", "must be true or false")])
    return bool(text == "true")
