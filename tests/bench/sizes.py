"""How much of everything a run plays: all counts in one place."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Events, unless it says otherwise."""

    repeats: int  # of the short measurements; the best counts
    ingest: int
    batches: int
    drain: int
    both: int
    calm: int
    calm_rate: int  # a second
    history: int  # delivered rows in each table
    waiting: int
    history_drain: int
    fairness: int
    many: int  # destinations of one event
    many_events: int
    sqlite: int


FULL = Sizes(
    repeats=2,
    ingest=30_000,
    batches=60_000,
    drain=60_000,
    both=40_000,
    calm=6_000,
    calm_rate=1_500,
    history=5_000_000,
    waiting=1_000_000,
    history_drain=40_000,
    fairness=40_000,
    many=10_000,
    many_events=3,
    sqlite=20_000,
)
QUICK = Sizes(
    repeats=1,
    ingest=3_000,
    batches=6_000,
    drain=2_000,
    both=1_500,
    calm=1_000,
    calm_rate=500,
    history=20_000,
    waiting=10_000,
    history_drain=4_000,
    fairness=4_000,
    many=1_500,
    many_events=2,
    sqlite=2_000,
)
