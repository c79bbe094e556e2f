"""One event to very many destinations: how soon its 202 comes, and how fast all of it goes out."""

from statistics import median

from tests.bench.bench import Bench
from tests.bench.rig import load
from tests.bench.scenarios.drain import drain_to
from tests.bench.scenarios.parts import drained
from tests.bench.systems import Trunkline
from tests.bench.table import Row


def _answer_ms(system: Trunkline, count: int, types: int = 0) -> float:
    """One after the other over one connection; the quickest event type is t.0 where types are asked for."""
    taken = load(system.url, system.headers, connections=1, count=count, types=types)
    return float(taken["latency_ms"]["p50"])


def fan_out(bench: Bench) -> list[Row]:
    size = bench.sizes
    wanted = [(f"/hook/{n}", "t.0") for n in range(size.many)]
    with bench.trunkline(*wanted) as system:
        with system.edge():
            ordinary = median(_answer_ms(system, 20) for _ in range(3))
            _answer_ms(system, 1, types=1)  # each process reads the subscriptions when they are first asked for
            wide = median(_answer_ms(system, 1, types=1) for _ in range(size.many_events - 1))
        deliveries = size.many * size.many_events
        rate = drained(system, bench.sink, deliveries)
    base = drain_to(bench, 100, deliveries)
    name = f"one event to {size.many:,}"
    return [
        Row("fan-out", f"{name}: ms its 202 takes longer", wide - ordinary, target=50, at_most=True),
        Row("fan-out", f"{name}: deliveries/s", rate, base, "ordinary drain", 0.8),
    ]
