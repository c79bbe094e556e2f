"""How many deliveries a destination may hold at once, so that one that hangs or fails does not slow the others.

As TCP finds what a path bears: a destination begins with a few, each quick success widens its window by one, failures
halve it. One that hangs never gets beyond what it began with; a quick one, alone or not, soon has nearly all. One that
slows against its own best is given less as well, in proportion (the gradient of Netflix' concurrency-limits, after TCP
Vegas), until it is as quick as it was or has shown that this is its pace now.
"""

from dataclasses import dataclass

START = 32  # one place in so many is what an unknown destination may hold
SLOW = 1.0  # seconds; who takes longer holds a place too long to be given more
FAILING = 8  # failures in a row, from which on a destination is only probed
PROBES = 2
REST = 0.05  # seconds between two looks at one that fails
RESERVE = 8  # one place in so many is beyond the reach of a single destination
TOLERANCE = 2.0  # times its best; up to there it has not slowed
SLACK = 0.25  # seconds on top: what a busy engine may add by itself
DRIFT = 0.002  # of the difference a round, by which the best comes up to the present
DRIFT_AT_REST = 0.1  # the same where the window is as small as slowness makes it: it is not our load that slows it


@dataclass(frozen=True, slots=True)
class Conduct:
    """What is known of a destination."""

    window: int = 0  # not known yet
    failures: int = 0  # in a row
    best: float | None = None  # seconds that a success takes, when it goes well

    @property
    def rest(self) -> float:
        """Seconds to leave it alone after a claim."""
        return REST if self.failures >= FAILING else 0.0


NEW = Conduct()


def judged(
    conduct: Conduct,
    *,
    quick: int,
    slow: int,
    failed: int,
    places: int,
    took: float | None = None,
    adaptive: bool = True,
) -> Conduct:
    """After so many attempts that ended; `places` is what the engine has for all destinations.

    `took`: seconds, the mean of those that succeeded. Where it is not `adaptive`, slowing does not count.
    """
    before = conduct.window or start(places)
    failures = 0 if quick or slow else conduct.failures + failed
    best = _best(conduct.best, took, at_rest=before <= start(places))
    if failures >= FAILING:
        return Conduct(PROBES, failures, best)
    if failed > quick:
        wanted = before // 2
    elif slow > quick:
        wanted = min(before, start(places))
    elif adaptive and (gradient := _gradient(conduct.best, took)) < 1:
        wanted = min(before, max(start(places), int(before * gradient)))
    else:
        wanted = before + quick - failed
    return Conduct(min(max(1, wanted), most(places)), failures, best)


def _best(best: float | None, took: float | None, *, at_rest: bool) -> float | None:
    if best is None or took is None or took < best:
        return best if took is None else took
    return best + (DRIFT_AT_REST if at_rest else DRIFT) * (took - best)


def _gradient(best: float | None, took: float | None) -> float:
    """Below 1 where it has slowed, and never below a half."""
    if best is None or took is None:
        return 1.0
    return max(0.5, min(1.0, (TOLERANCE * best + SLACK) / max(took, 1e-6)))


def window(conduct: Conduct, *, places: int) -> int:
    """Deliveries it may hold now."""
    return min(conduct.window or start(places), most(places))


def start(places: int) -> int:
    """What an unknown destination may hold, and one that is slow."""
    return max(1, places // START)


def most(places: int) -> int:
    """What one destination may hold, however well it does: the others find room at once."""
    return max(1, places - max(1, places // RESERVE))
