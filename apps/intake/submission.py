"""What a producer asks for, read from whatever door it came through and not yet accepted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Submission:
    """One event as submitted: well-formed, but not yet held against event types or earlier keys."""

    type: str
    data: bytes  # the producer's JSON, to the byte
    source: str = ""
    subject: str = ""
    time: datetime | None = None  # aware; None means "when it was accepted"
    consumer: str = ""  # the producer's own key of the one it is for
    ordering_key: str = ""
    dataschema: str = ""  # the schema version it names
    idempotency: tuple[str, ...] = ()  # ("key", k) or ("cloudevents", source, id)
    traceparent: str = ""
    extensions: Mapping[str, str] = field(default_factory=dict)  # CloudEvents attributes we give no meaning

    def fingerprint(self) -> bytes:
        """SHA-256 over all that was submitted: tells a repeat from another body under the same key."""
        time = self.time.isoformat() if self.time else ""
        parts = (self.type, self.source, self.subject, time, self.consumer, self.ordering_key, self.dataschema)
        head = "\x1f".join((*parts, *(f"{k}\x1e{v}" for k, v in sorted(self.extensions.items()))))
        return sha256(head.encode() + b"\x00" + self.data).digest()
