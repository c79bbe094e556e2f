"""From publish to receipt, at a rate far from the limit."""

from tests.bench.bench import Bench
from tests.bench.rig import load
from tests.bench.scenarios.parts import WARM_UP, warm_up
from tests.bench.systems import System
from tests.bench.table import Row

CONNECTIONS = 16


def _latency(bench: Bench, system: System) -> dict[str, float]:
    """Milliseconds by quantile."""
    size = bench.sizes
    with system.edge(), system.engine(size.calm + WARM_UP):
        warm_up(system, bench.sink)
        load(system.url, system.headers, connections=CONNECTIONS, count=size.calm, rate=size.calm_rate)
        found: dict[str, float] = bench.sink.wait_for(size.calm)["latency_ms"]
    return found


def _round(bench: Bench) -> tuple[dict[str, float], dict[str, float]]:
    with bench.bare() as bare:
        base = _latency(bench, bare)
    with bench.trunkline() as ours:
        return base, _latency(bench, ours)


def calm(bench: Bench) -> list[Row]:
    rounds = [_round(bench) for _ in range(bench.sizes.repeats)]
    return [_row(name, bench.sizes.calm_rate, rounds) for name in ("p50", "p95")]


def _row(name: str, rate: int, rounds: list[tuple[dict[str, float], dict[str, float]]]) -> Row:
    bare, ours = (min(each[side][name] for each in rounds) for side in (0, 1))
    return Row("calm", f"{name} ms, publish to receipt at {rate:,}/s", ours, bare, "bare", 2, at_most=True)
