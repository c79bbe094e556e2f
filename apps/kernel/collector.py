"""The garbage collector, for processes that work in sets."""

import gc


def spare_the_collector() -> None:
    """What is loaded by now stays for good, and what a set brings is freed by counting: collect seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
