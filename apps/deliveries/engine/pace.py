"""How much and how often."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds where not said otherwise."""

    concurrency: int = 256  # deliveries in flight at once
    held_bytes: int = 64_000_000  # of the bodies of all that are held, together
    claim_set: int = 500  # deliveries taken by one claim
    settle_set: int = 500
    unsettled: int = 5_000  # attempts that wait to be written, before no more is claimed
    ahead: float = 0.05  # so much of the present pace is claimed beyond what is in flight: no place waits for a claim
    lease: timedelta = timedelta(seconds=60)
    gather: float = 0.002  # between two small claims: what comes in that time is claimed together
    gather_done: float = 0.02  # between the first attempt that ended and writing it, with those that end meanwhile
    look: float = 0.5  # between two looks for what no wake-up told of: retries above all
    look_deaf: float = 0.1  # the same, where no wake-up can be heard
    look_set: int = 1_000  # destinations looked at at once
    rescue: float = 5.0
    heartbeat: float = 5.0
    learn: float = 1.0  # between two looks at breakers and the policies of event types
    expand: float = 0.5  # between two looks for events that very many want
    prune: float = 60.0
    grace: float = 20.0  # for what is in flight at shutdown
    after_fault: float = 1.0  # before the database is tried again
