"""What becomes of a delivery whose engine died: it may be that delivery that kills engines."""

from datetime import timedelta

MOST_RESCUES = 10
FIRST_PAUSE = timedelta(seconds=5)  # after the second rescue, and twice as long after each further one


def pause_after_rescue(earlier: int) -> timedelta | None:
    """How long it waits, given how often it was rescued before: not at all the first time; None: it is given up."""
    if earlier >= MOST_RESCUES:
        return None
    return FIRST_PAUSE * 2 ** (earlier - 1) if earlier else timedelta(0)
