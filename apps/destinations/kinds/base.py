"""What every kind of destination is made of; each is one folder beside this file with a module-level `KIND`."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import msgspec

from apps.accounts.egress import EgressRules
from apps.destinations.policy import Policy
from apps.destinations.routing.jobs import Transform

JSON = "application/json"


class Attributes(msgspec.Struct, frozen=True, gc=False):
    """What only a CloudEvent or a transformation shows of an event; empty where it has none."""

    source: str = ""
    subject: str = ""
    ordering_key: str = ""
    schema_version: int | None = None
    extensions: Mapping[str, str] = {}
    consumer: str = ""


class Event(msgspec.Struct, frozen=True, gc=False):  # made for each event, at a tenth of a dataclass's price
    """What happened, without its data, for kinds that say it in their own words."""

    id: str  # evt_…
    type: str
    time: datetime
    project_id: UUID
    traceparent: str = ""
    attributes: Attributes | None = None  # read only for formats that show them


@dataclass(slots=True)  # not frozen, which doubles what making one costs; never changed all the same
class Message:
    """One event as it goes out, ready made: nothing behind it is looked up while sending."""

    id: str  # evt_…, the same on every attempt
    body: bytes  # byte-identical on every attempt
    traceparent: str = ""  # W3C Trace Context, or empty
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()  # those of its format, names in lower case
    event: Event | None = None
    data_from: int = 0  # where in the body the event's data begins
    data_until: int | None = None

    @property
    def data(self) -> bytes:
        """The event's JSON. A copy, cut out of the body: it isn't held twice."""
        return self.body[self.data_from : self.data_until]


class SigningKey(NamedTuple):
    """A key in the clear: by its scheme, an HMAC secret or an Ed25519 seed."""

    scheme: str  # `v1` or `v1a`
    key: bytes

    def __repr__(self) -> str:
        return f"SigningKey({self.scheme})"


@dataclass(frozen=True, slots=True)
class Target:
    """Where to and how: a destination's settings, with its secrets in the clear."""

    id: str  # dst_…
    config: Mapping[str, Any] = field(repr=False)  # as `Kind.clean` returned it: it may hold tokens
    secrets: tuple[SigningKey, ...] = field(repr=False, default=())  # every one that signs, newest first
    timeout: float = 15.0  # seconds for the whole attempt: resolve, connect, send, read
    policy: Policy = field(default_factory=Policy)
    egress: EgressRules | None = None  # its project's, where it has any
    transform: Transform | None = None


class Outcome(msgspec.Struct, frozen=True, gc=False):  # made for each attempt, at a tenth of a dataclass's price
    """What one attempt saw. Judging it is the verdict policy's work, not the sender's."""

    status_code: int | None = None
    error: str = ""  # a stable code such as `timeout`; empty when an answer came
    detail: str = ""  # one line for people
    body: bytes = b""  # the first bytes of the answer
    retry_after: str = ""  # the header as it came
    inner: str = ""  # the detail with what only operators may see, for the log
    duration_ms: int = 0

    def __repr__(self) -> str:
        """Without the body, in which a receiver may repeat what it was sent."""
        said = self.inner or self.detail
        return f"Outcome({self.status_code}, {self.error!r}, {said!r}, {len(self.body)} bytes, {self.duration_ms} ms)"


class Sender(Protocol):
    """Holds a kind's connections; one per engine, used concurrently."""

    async def send(self, target: Target, message: Message) -> Outcome:
        """One attempt. Never raises for what the far side does; cancellation passes through."""
        ...


@dataclass(frozen=True, slots=True)
class FormField:
    """One property of the config in the admin's form, as text."""

    name: str
    label: str
    help: str
    rows: int = 1  # of a box of text; 1: a line
    choices: tuple[tuple[str, str], ...] = ()  # value and title, where it is one of a few
    read: Callable[[str], Any] = str.strip  # the property; raises ValueError with a line for people
    show: Callable[[Any], str] = str  # the text


class Kind(Protocol):
    """One way of delivering."""

    name: str
    title: str
    fields: Mapping[str, Any]  # the config's properties in JSON Schema, for the OpenAPI document
    form: Sequence[FormField]  # the same for people
    signs: bool  # whether deliveries are signed, so that a destination has secrets
    takes_events: bool  # or else only operational ones

    def unavailable(self) -> str:
        """Why no destination of this kind can be made in this installation; empty where one can."""
        ...

    def change(self, config: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """The config with what is `given` replaced, for `clean` to judge; raises Invalid."""
        ...

    def clean(
        self, config: Mapping[str, Any], egress: EgressRules | None = None, *, before: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The config as it is stored; raises `Invalid` with a pointer to each field that is wrong.

        `egress` are the project's own rules, beside the installation's. `before` is what is stored, in a change.
        """
        ...

    def public(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The config as the API shows it: what may be a token is masked."""
        ...

    def summary(self, config: Mapping[str, Any]) -> str:
        """One line for lists, without secrets: the URL, the queue's name."""
        ...

    def sender(self) -> AbstractAsyncContextManager[Sender]:
        """The sender for the life of an engine."""
        ...
