"""The scenarios by name. Each takes a `Bench` and gives its rows of the table."""

from collections.abc import Callable

from tests.bench.bench import Bench
from tests.bench.scenarios import calm, drain, fairness, fan_out, history, ingest, sqlite
from tests.bench.table import Row

SCENARIOS: dict[str, Callable[[Bench], list[Row]]] = {
    "ingest": ingest.singles,
    "batches": ingest.batches,
    "drain": drain.one_and_hundred,
    "both": drain.both_at_once,
    "calm": calm.calm,
    "fairness": fairness.fairness,
    "fan-out": fan_out.fan_out,
    "sqlite": sqlite.sqlite,
    "engines": drain.engines,
    "history": history.history,
}
