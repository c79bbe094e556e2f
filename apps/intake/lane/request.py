"""A request as the lane sees it: headers by name, a body of known length, and nothing of the framework's."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from apps.kernel.asgi import Receive, Scope
from apps.kernel.errors import Fault, Invalid, LengthRequired, Malformed, TooLarge
from apps.kernel.ids import new_uuid

MOST_DRAINED = 32_000_000  # of a body that is too large: enough for an honest client to hear the answer
ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


class HungUp(Exception):
    """The client went before its body was here: there is nobody to answer."""


@dataclass(slots=True)
class Request:
    """`headers` by lower-case name, repeated ones joined by commas as WSGI has them."""

    path: str
    query: str
    headers: Mapping[str, str]
    id: str

    @classmethod
    def of(cls, scope: Scope) -> "Request":
        headers: dict[str, str] = {}
        for raw_name, raw_value in scope["headers"]:
            name, value = _name(raw_name), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        given = headers.get("x-request-id", "")
        request_id = given if ACCEPTABLE_ID.fullmatch(given) else str(new_uuid())
        return cls(scope["path"], scope["query_string"].decode("latin-1"), headers, request_id)

    @property
    def length(self) -> int:
        """Of the body; raises LengthRequired where it is not told, as the REST door does."""
        if "transfer-encoding" in self.headers:
            raise LengthRequired("send the body with a Content-Length, not in chunks")
        return int(self.headers.get("content-length") or 0)

    def refuse_foreign_host(self) -> None:
        """Raises Malformed for a Host that is not in ALLOWED_HOSTS."""
        if not _is_ours(self.headers.get("host", ""), tuple(settings.ALLOWED_HOSTS)):
            raise Malformed("this request can't be answered; is the Host one we are served under?")

    def flag(self, name: str) -> bool:
        """A query parameter that is `true` or `false`; false unless given, the last one if given twice."""
        text = dict(parse_qsl(self.query, keep_blank_values=True)).get(name, "false")
        if text not in {"true", "false"}:
            raise Invalid(f"?{name} must be true or false", faults=[Fault(f"?{name}", "must be true or false")])
        return text == "true"


@lru_cache(1024)
def _name(raw: bytes) -> str:
    return raw.decode("latin-1")


@lru_cache(1024)
def _is_ours(host: str, allowed: tuple[str, ...]) -> bool:
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, allowed)


async def read_body(receive: Receive, length: int) -> bytes:
    """The body; raises TooLarge after taking what the client insists on sending, and HungUp.

    How long it may take is the server's business.
    """
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if length <= limit:
        return await _whole(receive)
    await _drain(receive, min(length, MOST_DRAINED))
    raise TooLarge(f"the body has {length:,} bytes; at most {limit:,} are taken")


async def _whole(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        part, more = await _next(receive)
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _drain(receive: Receive, remaining: int) -> None:
    more = True
    while more and remaining > 0:
        part, more = await _next(receive)
        remaining -= len(part)


async def _next(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise HungUp
    return message.get("body", b""), message.get("more_body", False)
