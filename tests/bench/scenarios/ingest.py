"""Events in, the engine off."""

from tests.bench.bench import Bench
from tests.bench.scenarios.parts import best, take_batches, take_in
from tests.bench.table import Row


def bare_singles(bench: Bench) -> float:
    with bench.bare() as system, system.edge():
        return take_in(system, bench.sizes.ingest)


def _singles(bench: Bench) -> float:
    with bench.trunkline() as system, system.edge():
        return take_in(system, bench.sizes.ingest)


def _batches(bench: Bench) -> float:
    with bench.trunkline() as system, system.edge():
        return take_batches(system, bench.sizes.batches)


def singles(bench: Bench) -> list[Row]:
    bare, ours = best(bench.sizes.repeats, lambda: bare_singles(bench), lambda: _singles(bench))
    return [Row("ingest", "single events/s, 128 connections", ours, bare, "bare", 0.6)]


def batches(bench: Bench) -> list[Row]:
    bare, ours = best(bench.sizes.repeats, lambda: bare_singles(bench), lambda: _batches(bench))
    return [Row("batches", "events/s in batches of 100", ours, bare, "bare, single events", 2)]
