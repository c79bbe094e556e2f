"""HTTP as a plain client speaks it: whatever bytes and headers a test likes, and the answer as it came."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPMessage
from typing import Any

TIMEOUT = 40.0  # seconds; longer than any answer may take
NO_ANSWER = (OSError, HTTPException)  # what a call raises when the server went away


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def __str__(self) -> str:
        return f"{self.status} {self.body[:2000].decode(errors='replace')}"


class Client:
    """Calls to one server on this machine; with `keep_alive` on one connection, which only one thread may use."""

    def __init__(self, port: int, api_key: str = "", *, keep_alive: bool = False) -> None:
        self.port, self.api_key, self.keep_alive = port, api_key, keep_alive
        self._connection: HTTPConnection | None = None

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One exchange; raises one of NO_ANSWER when there is no answer, and then nobody knows whether it counted."""
        connection = self._connection or HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        self._connection = None
        try:
            connection.request(method, path, body, {**self._authorization(), **(headers or {})})
            with connection.getresponse() as response:
                answer = Answer(response.status, response.headers, response.read())
        except NO_ANSWER:
            connection.close()
            raise
        if self.keep_alive:
            self._connection = connection
        else:
            connection.close()
        return answer

    def close(self) -> None:
        if self._connection:
            self._connection.close()

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}

    def get(self, path: str) -> Answer:
        return self.call("GET", path)

    def post(self, path: str, value: object) -> Answer:
        return self.post_bytes(path, json.dumps(value).encode())

    def post_bytes(self, path: str, body: bytes, content_type: str = "application/json", **headers: str) -> Answer:
        """Further headers by their names with `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("POST", path, body, {"Content-Type": content_type, **named})
