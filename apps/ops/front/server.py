"""uvicorn, run from within: the data plane's server."""

import asyncio
import resource
import socket
import sys
from typing import Any

import msgspec
from uvicorn import Config, Server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from apps.kernel.collector import spare_the_collector
from apps.kernel.errors import Problem, TooSlow, Unavailable
from apps.kernel.rest import PROBLEM_JSON
from apps.ops.front.app import Front
from apps.ops.front.forward import Forward

GRACE = 20  # seconds for requests under way at shutdown
KEEP_ALIVE = 75  # seconds; longer than the usual load balancer's, so that it is the one to close
MOST_CONNECTIONS = 4_096  # each may hold 64 kB that nobody has asked for yet; beyond them the answer is 503
LARGEST_HEAD = 64 * 1024  # bytes
PATIENCE = 30.0  # seconds for a request to come in whole
SWITCH = 0.0005  # seconds that one thread may keep the others waiting: those of the database wait for little else


def _last_words(reason: str, problem: Problem) -> bytes:
    """An answer where no application is asked, after which the connection is closed."""
    body = msgspec.json.encode(problem.as_dict())
    head = f"HTTP/1.1 {problem.status} {reason}\r\ncontent-type: {PROBLEM_JSON}\r\ncontent-length: {len(body)}\r\n"
    more = "".join(f"{name.lower()}: {value}\r\n" for name, value in problem.headers.items())
    return f"{head}{more}connection: close\r\n\r\n".encode() + body


LATE = _last_words("Request Timeout", TooSlow(f"the request did not come in whole within {PATIENCE:g} seconds"))
FULL = _last_words(
    "Service Unavailable",
    Unavailable("too many connections are open; try again", code="overloaded", headers={"Retry-After": "1"}),
)


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with bounds it leaves to proxies: on a request in time, and on its head in bytes."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._head, self._late = 0, self.loop.call_later(PATIENCE, self._give_up)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.write(FULL)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._late.cancel()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._late.cancel()
        self._head, self._late = 0, self.loop.call_later(PATIENCE, self._give_up)
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._bound(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._bound(len(name) + len(value))
        super().on_header(name, value)

    def on_message_complete(self) -> None:
        self._late.cancel()
        super().on_message_complete()

    def _bound(self, more: int) -> None:
        self._head += more
        if self._head > LARGEST_HEAD:
            raise ValueError("the request's head is too large")  # uvicorn answers 400 and closes

    def _give_up(self) -> None:
        cycle = getattr(self, "cycle", None)
        if cycle is None or not cycle.response_started:
            self.transport.write(LATE)
        self.transport.close()


def listen(host: str, port: int) -> socket.socket:
    """The listening socket, to be shared by several processes; raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def _allow_files() -> None:
    """As many connections as the system lets us have: the usual soft limit of 1,024 is for programs of the eighties."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run_front(listening: socket.socket, control: str | None) -> None:
    """Serve until told to stop; `control` is the Unix socket of the control plane, where there is one."""
    sys.setswitchinterval(SWITCH)
    spare_the_collector()
    _allow_files()
    config = Config(
        Front(Forward(control) if control else None),
        http=BoundedProtocol,
        loop="uvloop",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
    )
    server = Server(config)
    asyncio.run(server.serve(sockets=[listening]), loop_factory=config.get_loop_factory())
