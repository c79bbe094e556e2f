"""How many deliveries a destination may hold at once, so that one that hangs or fails does not slow the others.

As TCP finds what a path bears: a destination begins with a few, each quick success widens its window by one, failures
halve it. One that hangs never gets beyond what it began with; a quick one, alone or not, soon has nearly all.
"""

from dataclasses import dataclass

START = 32  # one place in so many is what an unknown destination may hold
SLOW = 1.0  # seconds; who takes longer holds a place too long to be given more
FAILING = 8  # failures in a row, from which on a destination is only probed
PROBES = 2
REST = 0.05  # seconds between two looks at one that fails
RESERVE = 8  # one place in so many is beyond the reach of a single destination


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a destination."""

    window: int = 0  # not known yet
    failures: int = 0  # in a row

    @property
    def rest(self) -> float:
        """Seconds to leave it alone after a claim."""
        return REST if self.failures >= FAILING else 0.0


NEW = Standing()


def judged(standing: Standing, *, quick: int, slow: int, failed: int, places: int) -> Standing:
    """After so many attempts that ended; `places` is what the engine has for all destinations."""
    before = standing.window or start(places)
    failures = 0 if quick or slow else standing.failures + failed
    if failures >= FAILING:
        return Standing(PROBES, failures)
    if failed > quick:
        wanted = before // 2
    elif slow > quick:
        wanted = min(before, start(places))
    else:
        wanted = before + quick - failed
    return Standing(min(max(1, wanted), most(places)), failures)


def window(standing: Standing, *, places: int) -> int:
    """Deliveries it may hold now."""
    return min(standing.window or start(places), most(places))


def start(places: int) -> int:
    """What an unknown destination may hold, and one that is slow."""
    return max(1, places // START)


def most(places: int) -> int:
    """What one destination may hold, however well it does: the others find room at once."""
    return max(1, places - max(1, places // RESERVE))
