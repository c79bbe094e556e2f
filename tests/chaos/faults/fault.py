"""What every fault is."""


class Fault:
    """Strikes when it is injected, lasts for a while, and is healed. A class that only kills is over at once."""

    lasts = 0.0  # seconds from the stroke to the healing
    over_at_once = False  # recovery counts from the stroke; else from the healing

    def prepare(self) -> None:
        """What must be in place before a stroke."""

    def inject(self) -> None:
        raise NotImplementedError

    def heal(self) -> None:
        """Put the installation together again, as an operator or a supervisor does."""
