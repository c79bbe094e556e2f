"""Takes back what engines held when they died."""

from apps.deliveries import store
from apps.deliveries.engine import deaths, telemetry
from apps.deliveries.notices import notify
from apps.kernel.clock import now

SET = 500


def run_once() -> int:
    """One round; returns how many deliveries were taken back."""
    rescued = store.rescue(now=now(), limit=SET, on_death=lambda given_up: notify(deaths.given_up(given_up)))
    telemetry.RESCUED.inc(rescued)
    return rescued
