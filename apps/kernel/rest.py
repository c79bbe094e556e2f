"""How REST framework speaks our dialect: strict JSON in, problem details (RFC 9457) out."""

from collections.abc import Iterator, Mapping
from typing import IO, Any

import msgspec
import structlog
from django.conf import settings
from django.core.exceptions import ObjectNotUpdated, PermissionDenied, RequestDataTooBig
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from django.http.request import UnreadablePostError
from rest_framework import exceptions
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from apps.kernel import strict_json
from apps.kernel.errors import (
    Conflict,
    Fault,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    Problem,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unsupported,
)

PROBLEM_JSON = "application/problem+json"
NOTHING_HERE = "there is nothing here, or it is not yours"
log = structlog.get_logger("trunkline.rest")


class StrictJSONParser(BaseParser):
    """A JSON object without duplicate members, NaN or other surprises; raises Malformed and TooLarge."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(limit + 1)  # Django's own check guards `request.body`, which isn't read here
        if len(raw) > limit:
            raise TooLarge(f"the body is larger than {limit:,} bytes")
        value = strict_json.check(raw) if raw.strip() else {}
        if not isinstance(value, dict):
            raise Malformed("the body must be a JSON object")
        return value


class ExactJSONRenderer(BaseRenderer):
    """JSON by msgspec: fast, and a producer's bytes (`msgspec.Raw`) pass through as they are."""

    media_type, format, charset = "application/json", "json", None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return b"" if data is None else msgspec.json.encode(data, enc_hook=str)


class JSONWhateverIsAsked(DefaultContentNegotiation):
    """A view with one renderer answers with it, whatever `Accept` says: no event is lost over a header."""

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        if len(renderers) == 1:
            return renderers[0], renderers[0].media_type
        return super().select_renderer(request, renderers, format_suffix)


def problem_response(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """REST framework's EXCEPTION_HANDLER. None lets a true bug through, to Django's own handler."""
    problem = as_problem(error)
    if problem is None:
        return None
    request: HttpRequest | None = context.get("request")
    return Response(
        problem.as_dict(instance=request.path if request else None),
        status=problem.status,
        content_type=PROBLEM_JSON,
        headers=problem.headers,
    )


def as_problem(error: Exception) -> Problem | None:
    """Whatever REST framework or Django raise for a bad request, as one of ours."""
    match error:
        case Problem():
            return error
        case ValidationError():
            faults = list(_faults(error.detail, ""))
            return Invalid(_first_line(faults), faults=faults)
        case Http404() | exceptions.NotFound():
            return NotFound(NOTHING_HERE)
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return Unauthenticated(str(error.detail), headers={"WWW-Authenticate": 'Bearer realm="trunkline"'})
        case IntegrityError():  # somebody was faster with the same name
            return Conflict("this collides with what another request has just written")
        case ObjectNotUpdated():  # somebody was faster and deleted it
            return NotFound(NOTHING_HERE)
        case OperationalError() | InterfaceError():
            log.error("database.unavailable", error=str(error).partition("\n")[0])
            return Unavailable("the database is busy or away; try again", headers={"Retry-After": "1"})
        case PermissionDenied() | exceptions.PermissionDenied():
            return Forbidden("you may not do this")
        case RequestDataTooBig():
            return TooLarge("the body is larger than 5 MB")
        case UnreadablePostError():
            return Malformed("the body could not be read to its end")
        case exceptions.UnsupportedMediaType():
            return Unsupported(str(error.detail))
        case exceptions.APIException():
            return _other(error)
        case _:
            return None


def _other(error: exceptions.APIException) -> Problem:
    """405, 406 and whatever else REST framework knows, with its own status."""
    code = str(error.default_code)
    kind = type("OtherProblem", (Problem,), {"status": error.status_code, "title": code.replace("_", " ").capitalize()})
    problem: Problem = kind(str(error.detail), code=code)
    return problem


def _first_line(faults: list[Fault]) -> str:
    if len(faults) == 1:
        return f"{faults[0].pointer or 'the body'}: {faults[0].detail}"
    return f"{len(faults)} faults; `errors` has each"


def _faults(detail: Any, pointer: str) -> Iterator[Fault]:
    """REST framework's nested error details as a flat list with JSON pointers."""
    match detail:
        case dict():
            for name, inner in detail.items():
                step = "" if name == "non_field_errors" else "/" + str(name).replace("~", "~0").replace("/", "~1")
                yield from _faults(inner, pointer + step)
        case list() if all(isinstance(inner, exceptions.ErrorDetail) for inner in detail):
            for inner in detail:
                yield Fault(pointer, str(inner), inner.code)
        case list():
            for index, inner in enumerate(detail):
                yield from _faults(inner, f"{pointer}/{index}" if isinstance(inner, dict) and inner else pointer)
        case _:
            yield Fault(pointer, str(detail), getattr(detail, "code", "invalid"))


def problem_page(request: HttpRequest, problem: Problem) -> JsonResponse:
    """A problem outside of REST framework: an unknown path, an error of ours."""
    return JsonResponse(
        problem.as_dict(instance=request.path),
        status=problem.status,
        content_type=PROBLEM_JSON,
        headers=problem.headers,
    )
