"""Hands requests on to the control plane behind a Unix socket, and its answers back, as they are.

One connection a request: the control plane is for people and programs that set things up, and a local connection
costs less than keeping track of idle ones.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from typing import Any

import httptools
import msgspec

from apps.kernel.asgi import Receive, Scope, Send
from apps.kernel.errors import Unavailable
from apps.kernel.rest import PROBLEM_JSON

PATIENCE = 70.0  # seconds without a byte from the control plane, whose own limit for a request is 60
CHUNK = 64 * 1024
# RFC 9110, 7.6.1: headers that speak of one connection only.
OF_CONNECTION = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
NOT_PASSED_BACK = OF_CONNECTION | {b"date", b"server"}  # the front says its own
OURS = OF_CONNECTION | {b"expect"}  # uvicorn has answered it

type Headers = Iterable[tuple[bytes, bytes]]


class Forward:
    """An ASGI app that answers with what the server behind `path` says."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False
        try:
            reader, writer = await asyncio.open_unix_connection(self._path)
            try:
                await _send_request(writer, scope, receive)
                async for message in _answer(reader, scope["method"]):
                    started = True
                    await send(message)
            finally:
                writer.close()
        except (OSError, EOFError, TimeoutError, httptools.HttpParserError) as error:
            if started:  # too late for another status: the server drops the connection, and the client sees that
                raise ConnectionResetError("the control plane broke off") from error
            await _unavailable(send)


async def _send_request(writer: asyncio.StreamWriter, scope: Scope, receive: Receive) -> None:
    headers = list(_request_headers(scope))
    chunked = any(name == b"transfer-encoding" for name, _ in scope["headers"])
    headers += [(b"transfer-encoding", b"chunked")] if chunked else []
    head = b"%s %s HTTP/1.1\r\n" % (scope["method"].encode(), _target(scope))
    writer.write(head + b"".join(b"%s: %s\r\n" % header for header in headers) + b"connection: close\r\n\r\n")
    with suppress(ConnectionError):  # it may answer before the body's end, a refusal that is, and hang up
        async for part in _body(receive):
            writer.write(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
            await writer.drain()
        writer.write(b"0\r\n\r\n" if chunked else b"")


def _target(scope: Scope) -> bytes:
    query: bytes = scope["query_string"]
    path: bytes = scope["raw_path"]
    return path + b"?" + query if query else path


def _request_headers(scope: Scope) -> Iterator[tuple[bytes, bytes]]:
    """Without names that hold an underscore: behind a trusted socket some of them mean the gateway's own words."""
    earlier = b""
    for name, value in scope["headers"]:
        if name == b"x-forwarded-for":
            earlier += value + b", "
        elif name not in OURS and b"_" not in name:
            yield name, value
    client = scope.get("client") or ("unknown", 0)
    yield b"x-forwarded-for", earlier + str(client[0]).encode()


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        if part := message.get("body", b""):
            yield part


class _Reading:
    """What httptools calls back with, as ASGI messages."""

    def __init__(self, method: str) -> None:
        self._headers: list[tuple[bytes, bytes]] = []
        self._messages: list[dict[str, Any]] = []
        self._without_body = method == "HEAD"
        self.parser = httptools.HttpResponseParser(self)
        self.ended = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() not in NOT_PASSED_BACK:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self.parser.get_status_code()
        self._messages.append({"type": "http.response.start", "status": status, "headers": self._headers})
        self.ended = self._without_body

    def on_body(self, body: bytes) -> None:
        self._messages.append({"type": "http.response.body", "body": body, "more_body": True})

    def on_message_complete(self) -> None:
        self.ended = True

    def take(self) -> list[dict[str, Any]]:
        taken, self._messages = self._messages, []
        return taken


async def _answer(reader: asyncio.StreamReader, method: str) -> AsyncIterator[dict[str, Any]]:
    """Its messages as they come; raises EOFError where it ends before its end."""
    reading = _Reading(method)
    while not reading.ended:
        async with asyncio.timeout(PATIENCE):
            data = await reader.read(CHUNK)
        if not data:
            raise EOFError
        reading.parser.feed_data(data)
        for message in reading.take():
            yield message
    yield {"type": "http.response.body", "body": b""}


async def _unavailable(send: Send) -> None:
    problem = Unavailable("the control plane is starting or away; try again", headers={"Retry-After": "1"})
    body = msgspec.json.encode(problem.as_dict())
    headers = [(b"content-type", PROBLEM_JSON.encode()), (b"retry-after", b"1")]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
