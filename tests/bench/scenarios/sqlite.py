"""The embedded database beside PostgreSQL."""

from contextlib import AbstractContextManager

from tests.bench.bench import Bench
from tests.bench.scenarios.parts import drained, take_in
from tests.bench.systems import Trunkline
from tests.bench.table import Row


def _in_then_out(bench: Bench, opened: AbstractContextManager[Trunkline]) -> tuple[float, float]:
    count = bench.sizes.sqlite
    with opened as system:
        with system.edge():
            taken = take_in(system, count)
        return taken, drained(system, bench.sink, count)


def sqlite(bench: Bench) -> list[Row]:
    there = _in_then_out(bench, bench.trunkline())
    here = _in_then_out(bench, bench.embedded())
    return [
        Row("sqlite", "single events/s", here[0], there[0], "PostgreSQL", 0.5),
        Row("sqlite", "deliveries/s", here[1], there[1], "PostgreSQL", 0.5),
    ]
