"""Good destinations beside one that hangs and one that always fails; every one has the same share waiting."""

from tests.bench.bench import Bench, many
from tests.bench.scenarios.parts import best, drained, take_batches
from tests.bench.table import Row

GOOD = 19


def _good(bench: Bench, bad: list[tuple[str, str]]) -> float:
    """Receipts a second at the good ones; the receiver does not count the bad."""
    each = bench.sizes.fairness // GOOD // 100 * 100
    types = GOOD + len(bad)
    with bench.trunkline(*many(GOOD), *bad) as system:
        with system.edge():
            take_batches(system, each * types, types=types)
        return drained(system, bench.sink, each * GOOD)


def fairness(bench: Bench) -> list[Row]:
    bad = [("/hang", f"t.{GOOD}"), ("/fail", f"t.{GOOD + 1}")]
    without, beside = best(bench.sizes.repeats, lambda: _good(bench, []), lambda: _good(bench, bad))
    return [Row("fairness", "deliveries/s to 19 good beside 2 bad", beside, without, "without the bad", 0.95)]
