"""A drain with millions of delivered rows and a million waiting, beside the same drain in an empty database."""

import psycopg

from tests.bench.bench import Bench, many
from tests.bench.fill import fill
from tests.bench.scenarios.parts import drained, take_batches
from tests.bench.systems import Trunkline
from tests.bench.table import Row

DESTINATIONS = 100


def _specimens(bench: Bench, system: Trunkline) -> None:
    """One event to each destination, really delivered, and one to each that waits: what the rows are copied from."""
    with system.edge():
        take_batches(system, DESTINATIONS, types=DESTINATIONS)
        drained(system, bench.sink, DESTINATIONS)
        take_batches(system, DESTINATIONS, types=DESTINATIONS)


def _measure(bench: Bench, history: int, waiting: int) -> tuple[float, float]:
    """Deliveries a second of the first so many that waited, and seconds that the filling took.

    All that waits is due, spread evenly over the same hundred destinations; in both databases more waits than is
    measured, so neither figure has the end of a drain in it.
    """
    count = bench.sizes.history_drain
    with bench.trunkline(*many(DESTINATIONS)) as system:
        _specimens(bench, system)
        with psycopg.connect(system.env["DATABASE_URL"], autocommit=True) as connection:
            took = fill(connection, history, waiting)
        return drained(system, bench.sink, count), took


def history(bench: Bench) -> list[Row]:
    size = bench.sizes
    empty, _ = _measure(bench, 0, size.history_drain * 5 // 4)
    full, took = _measure(bench, size.history, size.waiting)
    name = f"deliveries/s, {size.history:,} delivered, {size.waiting:,} waiting"
    return [
        Row("history", name, full, empty, "empty database", 0.9),
        Row("history", "seconds to fill that database", took),
    ]
