"""What the front hands on to the control plane, byte by byte, and what it makes of answers that break off."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from apps.kernel.asgi import Message
from apps.ops.front.forward import Forward

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer: gunicorn\r\nDate: now\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\nok"
)


class Exchange:
    """One request through the forwarder to a server of few words."""

    def __init__(self, answer: bytes = ANSWER) -> None:
        self.got, self.sent, self._answer = b"", list[Message](), answer

    async def run(self, directory: Path, scope: dict[str, Any], body: Iterable[bytes] = ()) -> None:
        path = str(directory / "s")
        server = await asyncio.start_unix_server(self._serve, path)
        async with server:
            await Forward(path)(_scope(**scope), _receiving(body), self._send)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not self.got.endswith((b"\r\n\r\n", b"END")) or b"content-length: 7" in self.got[-40:]:
            part = await reader.read(65536)
            self.got += part
            if not part:
                break
        writer.write(self._answer)
        await writer.drain()
        writer.close()

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def head(self) -> list[bytes]:
        return self.got.partition(b"\r\n\r\n")[0].split(b"\r\n")

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])


def _scope(**fields: Any) -> dict[str, Any]:
    usual = {"type": "http", "method": "GET", "raw_path": b"/x%20y", "query_string": b"", "headers": []}
    return {**usual, "path": "/x y", "client": ("198.51.100.7", 4), **fields}


def _receiving(body: Iterable[bytes]) -> Any:
    parts = [*body]

    async def receive() -> Message:
        part = parts.pop(0) if parts else b""
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    return receive


def exchanged(directory: Path, *body: bytes, answer: bytes = ANSWER, **scope: Any) -> Exchange:
    exchange = Exchange(answer)
    asyncio.run(exchange.run(directory, scope, body))
    return exchange


def test_a_request_goes_on_as_it_came(tmp_path: Path) -> None:
    headers = [(b"host", b"t.example"), (b"cookie", b"a=b"), (b"content-length", b"7"), (b"x-a", b"1"), (b"x-a", b"2")]
    got = exchanged(tmp_path, b"1234", b"END", method="PUT", query_string=b"q=%2F", headers=headers)
    assert got.head[0] == b"PUT /x%20y?q=%2F HTTP/1.1"
    assert got.head[1:6] == [b"%s: %s" % header for header in headers]
    assert got.got.endswith(b"\r\n\r\n1234END")


def test_what_speaks_of_the_connection_or_the_gateway_stays_here(tmp_path: Path) -> None:
    headers = [
        (b"connection", b"keep-alive, x"),
        (b"keep-alive", b"1"),
        (b"upgrade", b"h2c"),
        (b"te", b"trailers"),
        (b"expect", b"100-continue"),
        (b"script_name", b"/admin"),
        (b"x_forwarded_for", b"127.0.0.1"),
        (b"x-forwarded-for", b"203.0.113.9"),
    ]
    got = exchanged(tmp_path, headers=headers)
    assert got.head[1:] == [b"x-forwarded-for: 203.0.113.9, 198.51.100.7", b"connection: close"]


def test_chunks_stay_chunks(tmp_path: Path) -> None:
    got = exchanged(tmp_path, b"abc", b"de", headers=[(b"transfer-encoding", b"chunked")])
    assert b"transfer-encoding: chunked" in got.head
    assert got.got.endswith(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")


def test_an_answer_comes_back_without_its_servers_signature(tmp_path: Path) -> None:
    got = exchanged(tmp_path)
    assert got.sent[0]["status"] == 200
    assert got.sent[0]["headers"] == [(b"content-length", b"2"), (b"set-cookie", b"a"), (b"set-cookie", b"b")]
    assert got.body == b"ok"
    assert not got.sent[-1].get("more_body")


def test_answers_in_chunks_and_without_a_body(tmp_path: Path) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"
    assert exchanged(tmp_path, answer=chunked).body == b"abcd"
    head = exchanged(tmp_path, method="HEAD", answer=b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
    assert (head.sent[0]["status"], head.body) == (200, b"")
    assert exchanged(tmp_path, answer=b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n").sent[0]["status"] == 304


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200", b"220 smtp.example ready\r\n"], ids=["none", "cut", "SMTP"])
def test_no_answer_is_503(tmp_path: Path, answer: bytes) -> None:
    got = exchanged(tmp_path, answer=answer)
    assert got.sent[0]["status"] == 503
    assert (b"retry-after", b"1") in got.sent[0]["headers"]


def test_nobody_behind_the_socket_is_503(tmp_path: Path) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Forward(str(tmp_path / "nobody"))(_scope(), _receiving([]), send))
    assert sent[0]["status"] == 503


def test_an_answer_that_breaks_off_is_not_passed_off_as_whole(tmp_path: Path) -> None:
    with pytest.raises(ConnectionResetError):
        exchanged(tmp_path, answer=b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhalf of it")
