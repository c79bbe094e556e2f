"""Deliveries out: of what waits, by one engine and by two, and while events come in."""

from tests.bench.bench import Bench, many
from tests.bench.scenarios.parts import CONNECTIONS, WARM_UP, best, drained, take_batches, take_in, warm_up
from tests.bench.systems import System
from tests.bench.table import Row


def _bare(bench: Bench) -> float:
    with bench.bare() as system:
        with system.edge():
            take_in(system, bench.sizes.drain)
        return drained(system, bench.sink, bench.sizes.drain)


def drain_to(bench: Bench, destinations: int, count: int, engines: int = 0) -> float:
    """Each event goes to one of so many destinations."""
    wanted = many(destinations) if destinations > 1 else []
    with bench.trunkline(*wanted, engines=engines) as system:
        with system.edge():
            take_batches(system, count, types=destinations if destinations > 1 else 0)
        return drained(system, bench.sink, count)


def one_and_hundred(bench: Bench) -> list[Row]:
    count = bench.sizes.drain
    bare, one, hundred = best(
        bench.sizes.repeats,
        lambda: _bare(bench),
        lambda: drain_to(bench, 1, count),
        lambda: drain_to(bench, 100, count),
    )
    return [
        Row("drain", "deliveries/s to 1 destination", one, bare, "bare", 0.6),
        Row("drain", "deliveries/s to 100 destinations", hundred, bare, "bare", 0.6),
    ]


def engines(bench: Bench) -> list[Row]:
    one, two = best(
        1,
        lambda: drain_to(bench, 100, bench.sizes.drain, engines=1),
        lambda: drain_to(bench, 100, bench.sizes.drain, engines=2),
    )
    return [Row("engines", "deliveries/s of two engines", two, one, "one engine")]


def _both(bench: Bench, system: System) -> float:
    with system.edge(), system.engine(bench.sizes.both + WARM_UP):
        warm_up(system, bench.sink)
        take_in(system, bench.sizes.both, CONNECTIONS // 2)
        return bench.sink.rate(bench.sizes.both)


def _bare_both(bench: Bench) -> float:
    with bench.bare() as system:
        return _both(bench, system)


def _our_both(bench: Bench) -> float:
    with bench.trunkline() as system:
        return _both(bench, system)


def both_at_once(bench: Bench) -> list[Row]:
    bare, ours = best(bench.sizes.repeats, lambda: _bare_both(bench), lambda: _our_both(bench))
    return [Row("both", "events/s in and out at once", ours, bare, "bare", 0.6)]
