"""What is counted of filters. Labels hold no ids, and what a filter says about an event is not logged."""

from prometheus_client import Counter

FAILURES = Counter("trunkline_filter_failures", "Filters that could not be evaluated over an event: it was no match")


def count_failures(count: int) -> None:
    """After the commit. Costs nothing where there are none."""
    if count:
        FAILURES.inc(count)
