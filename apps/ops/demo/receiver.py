"""A customer's receiver, as a customer would write it; it tells on the terminal what it got."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count


class Receiver(BaseHTTPRequestHandler):
    """/ok takes everything, /flaky refuses every third delivery, /broken refuses all."""

    protocol_version = "HTTP/1.1"
    served = count(1)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        status = self._status()
        self._tell(status, body)
        answer = b'{"received": true}' if status < 300 else b'{"error": "on purpose, to show retries"}'
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _status(self) -> int:
        if self.path == "/broken":
            return 500
        return 503 if self.path == "/flaky" and next(self.served) % 3 == 0 else 200

    def _tell(self, status: int, body: bytes) -> None:
        mark = "delivered" if status < 300 else f"refused {status}"
        event_type = json.loads(body)["type"]
        sys.stdout.write(f"  {mark:<12} {event_type:<18} {self.headers['webhook-id']}  at {self.path}\n")
        sys.stdout.flush()

    def log_message(self, format: str, *args: object) -> None:
        """No second line for each request."""


def listen() -> ThreadingHTTPServer:
    """A receiver at a free port of this machine, listening already."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.daemon_threads = True
    return server
