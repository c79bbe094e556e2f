"""Measurements that several scenarios share; all give events (or deliveries) a second."""

from collections.abc import Callable

from tests.bench.rig import Sink, load
from tests.bench.systems import System

CONNECTIONS, BATCH, BATCH_CONNECTIONS = 128, 100, 8
WARM_UP = 200


def take_in(system: System, count: int, connections: int = CONNECTIONS) -> float:
    """Single events, each committed before its 202."""
    taken = load(system.url, system.headers, connections=connections, count=count)
    return _all_taken(taken, count)


def take_batches(system: System, count: int, types: int = 0) -> float:
    taken = load(
        f"{system.url}/batch", system.headers, connections=BATCH_CONNECTIONS, count=count, batch=BATCH, types=types
    )
    return _all_taken(taken, count)


def _all_taken(taken: dict[str, float], count: int) -> float:
    if taken["events"] < count:  # a figure over refusals would be none
        raise RuntimeError(f"{taken} of {count} events were accepted")
    return taken["events_per_s"]


def drained(system: System, sink: Sink, count: int) -> float:
    """What waits goes out, nothing comes in: from the first receipt to the last."""
    sink.reset()
    with system.engine(count):
        return sink.rate(count)


def warm_up(system: System, sink: Sink) -> None:
    """The engine is up and has its connections before anything is measured."""
    take_in(system, WARM_UP, connections=8)
    sink.wait_for(WARM_UP)
    sink.reset()


def best(repeats: int, *measure: Callable[[], float]) -> list[float]:
    """The best of each, taken in turn so that a slow minute of the machine meets all of them."""
    rounds = [[each() for each in measure] for _ in range(repeats)]
    return [max(column) for column in zip(*rounds, strict=True)]
