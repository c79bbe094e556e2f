"""The books: what was accepted, what arrived, what the database says in the end, and when a fault struck.

Publishers and receivers append lines to files, and nothing else of them is needed: a file can be read while it grows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

KEYS = 4  # ordering keys of each producer


@dataclass(frozen=True, slots=True)
class Published:
    """An event that was answered with 202 in the end; times are unix seconds."""

    at: float
    key: str  # `producer-number`, its idempotency key
    event: str
    requests: int  # until the 202

    def line(self) -> str:
        return f"{self.at:.6f} {self.key} {self.event} {self.requests}\n"


@dataclass(frozen=True, slots=True)
class Receipt:
    """A request at the receiver, in the order of arrival."""

    at: float
    event: str  # the webhook-id
    key: str  # from the body
    took: bool  # whether the answer was a 2xx: the receiver has the event, whatever becomes of the answer

    def line(self) -> str:
        return f"{self.at:.6f} {self.event} {self.key} {int(self.took)}\n"


@dataclass(frozen=True, slots=True)
class Row:
    """A delivery in the database, with a sum of its attempts."""

    event: str
    state: str
    attempts: int
    failures: int
    outcomes: tuple[str, ...]  # of its attempts, by number
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Injection:
    """One stroke of a fault: from `began` to `ended` something was wrong; recovery counts from `over`."""

    began: float
    over: float
    ended: float


def published(path: Path) -> Iterator[Published]:
    for at, key, event, requests in _fields(path):
        yield Published(float(at), key, event, int(requests))


def receipts(path: Path) -> Iterator[Receipt]:
    for at, event, key, took in _fields(path):
        yield Receipt(float(at), event, key, took == "1")


def _fields(path: Path) -> Iterator[list[str]]:
    """Whole lines only: the last one may be under way."""
    for line in path.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            yield line.split()


def count(path: Path) -> int:
    """How many lines there are by now."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def ordering_key(key: str) -> str:
    """A producer's events go to its keys in turn."""
    producer, _, number = key.partition("-")
    return f"{producer}/{int(number) % KEYS}"
