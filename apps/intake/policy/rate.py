"""A token bucket that holds one second's worth, told as a single time (GCRA, ITU-T I.371).

`arrival` is when the bucket would be full again. Taking moves it on by count / rate; what would move it further than
BURST past now is refused.
"""

from dataclasses import dataclass

BURST = 1.0  # seconds' worth that may be taken at once
NOTHING = 1e-6  # seconds: what adding thirds makes of none


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of asking: the new arrival time, and how long to wait where it was refused."""

    arrival: float
    wait: float = 0.0  # seconds; 0: granted


def take(arrival: float, *, count: int, rate: int, now: float) -> Taken:
    """Ask for `count` tokens of a bucket that fills with `rate` a second; times in seconds, by one clock.

    More than the bucket ever holds is granted where it is full, and is then in debt for as long as that takes: the
    average holds, and a large batch need not wait for ever.
    """
    start = max(arrival, now)
    wait = start - now + min(count / rate, BURST) - BURST
    return Taken(arrival, wait) if wait > NOTHING else Taken(start + count / rate)
