"""From bytes and headers to submissions: our own JSON and all three modes of CloudEvents 1.0.2, no framework.

Accepting is fast: one strict pass and one typed decode. Only what fails is looked at again, for every fault.
"""

from apps.intake.parsing.batches import parse_batch
from apps.intake.parsing.events import parse_event

__all__ = ["parse_batch", "parse_event"]
