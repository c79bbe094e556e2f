"""Producers as careful clients are: a key for each event, and the same request again until it is answered."""

import json
import time
from collections.abc import Iterator
from itertools import count
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

from tests.acceptance.client import NO_ANSWER, Answer, Client
from tests.acceptance.project import API
from tests.acceptance.waiting import eventually

ACCEPTED = 202
PAUSE = 0.02  # seconds between a producer's events
PAUSE_AFTER_FAULT = 0.1  # seconds until it asks again
LAST_WORDS = 40.0  # seconds to get the last answers after the end


class Traffic:
    """Threads that publish while the block runs. Afterwards every event they began was answered with 202."""

    def __init__(self, port: int, api_key: str, *, producers: int = 4) -> None:
        self.accepted: dict[str, str] = {}  # by idempotency key, the event's id
        self.faults: list[str] = []  # answers that must not be
        self.unanswered = 0  # calls without an answer, each then asked again
        self._port, self._api_key = port, api_key
        self._stopping, self._lock = Event(), Lock()
        self._threads = [Thread(target=self._produce, args=(number,), daemon=True) for number in range(producers)]

    def wait_for_more(self, events: int) -> None:
        """Returns when so many more were accepted than are by now."""
        wanted = len(self.accepted) + events
        eventually(lambda: len(self.accepted) >= wanted, why=lambda: self.faults or len(self.accepted))

    def repeat(self, keys: int) -> Iterator[Answer]:
        """The last events of each producer, published once more."""
        client = Client(self._port, self._api_key)
        for key in list(self.accepted)[-keys:]:
            yield client.post_bytes(f"{API}/events", _body(key), Idempotency_Key=key)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(0.1 if kind else LAST_WORDS)
        assert kind or not any(thread.is_alive() for thread in self._threads), "an event was never answered"

    def _produce(self, producer: int) -> None:
        client = Client(self._port, self._api_key, keep_alive=True)
        for number in count():
            if self._stopping.is_set():
                break
            key = f"{producer}-{number}"
            event = self._publish(client, key)
            with self._lock:
                self.accepted[key] = event
            self._stopping.wait(PAUSE)
        client.close()

    def _publish(self, client: Client, key: str) -> str:
        while True:
            try:
                answer = client.post_bytes(f"{API}/events", _body(key), Idempotency_Key=key)
            except NO_ANSWER:
                self.unanswered += 1
            else:
                if answer.status == ACCEPTED:
                    return str(answer.json["id"])
                self.faults.append(str(answer))
            time.sleep(PAUSE_AFTER_FAULT)  # as a client backs off


def _body(key: str) -> bytes:
    return json.dumps({"type": "load.made", "data": {"key": key}}).encode()
