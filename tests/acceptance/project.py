"""A project as its user has it: an API key, and what it opens."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.acceptance.client import Answer, Client
from tests.acceptance.installation import Installation
from tests.acceptance.waiting import eventually

API = "/api/v1"
LARGEST_PAGE = 250

type Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Project:
    """Calls of the API that must succeed; for all others there is `client`."""

    name: str
    client: Client

    @classmethod
    def create(cls, installation: Installation, name: str, port: int) -> "Project":
        made = installation.manage_json("create_project", name)
        return cls(name, Client(port, made["api_key"]))

    def destination(self, url: str, **fields: Any) -> Row:
        """A new destination, with its `secret`."""
        made: Row = expect(201, self.client.post(f"{API}/destinations", {"url": url, **fields}))
        return made

    def publish(self, event_type: str, data: object = None, **fields: Any) -> str:
        """The event's id."""
        event = {"type": event_type, "data": data, **fields}
        return str(expect(202, self.client.post(f"{API}/events", event))["id"])

    def publish_batch(self, events: list[Row]) -> list[str]:
        """The ids of events that are all accepted."""
        results = expect(202, self.client.post(f"{API}/events/batch", {"events": events}))["results"]
        assert {result["status"] for result in results} == {"accepted"}
        return [result["id"] for result in results]

    def deliveries(self, **filters: str) -> list[Row]:
        """All of them, page by page, the oldest first."""
        query = urlencode({"limit": LARGEST_PAGE, "ordering": "created_at", **filters})
        return list(self._rows(f"{API}/deliveries?{query}"))

    def _rows(self, path: str | None) -> Iterator[Row]:
        while path:
            page = expect(200, self.client.get(path))
            yield from page["data"]
            path = page["next"] and urlsplit(page["next"])._replace(scheme="", netloc="").geturl()

    def delivery(self, event: str, destination: str) -> Row:
        """The delivery of an event to a destination."""
        [found] = self.deliveries(event=event, destination=destination)
        return found

    def attempts(self, delivery: str) -> list[Row]:
        found: list[Row] = expect(200, self.client.get(f"{API}/deliveries/{delivery}/attempts"))["data"]
        return found

    def tried(self, event: str, destination: str, *, times: int = 1, patience: float = 20.0) -> Row:
        """The delivery, once it was tried so often and is not under way."""

        def look() -> Row | None:
            found = self.delivery(event, destination)
            return found if found["attempts"] >= times and found["state"] != "sending" else None

        return eventually(look, patience=patience, why=lambda: self.deliveries(event=event))


def expect(status: int, answer: Answer) -> Any:
    """The answer's JSON, where its status is the wanted one."""
    assert answer.status == status, str(answer)
    return json.loads(answer.body)
