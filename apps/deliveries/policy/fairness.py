"""How many deliveries a destination may hold at once, so that one that hangs or fails does not slow the others.

As TCP finds what a path bears: a destination begins with a few, each quick success widens its window by one, each
failure narrows it, and a round of more failures than successes halves it. One that hangs never gets beyond what it
began with; a quick one, alone or not, soon has nearly all. One that slows against its own best is given less as well,
in proportion (the gradient of Netflix' concurrency-limits, after TCP Vegas), until it is as quick as it was or has
shown that this is its pace now.
"""

from dataclasses import dataclass
from operator import add
from typing import NamedTuple

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


class Tally(NamedTuple):
    """Attempts that ended, by how."""

    quick: int = 0
    slow: int = 0
    failed: int = 0
    timed: int = 0  # successes, of the quick and the slow ones
    seconds: float = 0.0  # that these took together

    def plus(self, other: "Tally") -> "Tally":
        return Tally(*map(add, self, other))

    @property
    def ended(self) -> int:
        return self.quick + self.slow + self.failed

    @property
    def took(self) -> float | None:
        """Seconds of a success, the mean."""
        return self.seconds / self.timed if self.timed else None


NOTHING = Tally()


@dataclass(frozen=True, slots=True)
class Conduct:
    """What is known of a destination."""

    window: int = 0  # not known yet
    failures: int = 0  # in a row
    best: float | None = None  # seconds that a success takes, when it goes well
    round: int = 0  # attempts after whose end the window may be cut; 0: a new round begins
    seen: Tally = NOTHING  # in this round

    @property
    def rest(self) -> float:
        """Seconds to leave it alone after a claim."""
        return REST if self.failures >= FAILING else 0.0


NEW = Conduct()


def judged(conduct: Conduct, ended: Tally, *, places: int, adaptive: bool = True) -> Conduct:
    """After attempts that ended; `places` is what the engine has for all destinations.

    The window is cut once in a round at most, by what became of as many attempts as it held: one failure, however
    alone it came, says little of a destination. Where it is not `adaptive`, slowing does not count.
    """
    before = conduct.window or start(places)
    failures = 0 if ended.quick or ended.slow else conduct.failures + ended.failed
    if failures >= FAILING:
        return Conduct(PROBES, failures, conduct.best)
    size, seen = conduct.round or before, conduct.seen.plus(ended)
    window = min(max(1, before + ended.quick - ended.failed), most(places))
    if seen.ended < size:
        return Conduct(window, failures, conduct.best, size, seen)
    best = _best(conduct.best, seen.took, at_rest=before <= start(places))
    share = _share(seen, conduct.best if adaptive else None, at_least=start(places) / size)
    return Conduct(window if share == 1 else max(1, min(window, int(size * share))), failures, best)


def _share(seen: Tally, best: float | None, *, at_least: float) -> float:
    """What is left of the window that a round began with; 1 where it may be wider."""
    if seen.failed > seen.quick:
        return 0.5
    slow = at_least if seen.slow > seen.quick else _gradient(best, seen.took)
    return min(1.0, max(at_least, slow))


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
