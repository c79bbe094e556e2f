"""The policy of a destination, or of an event type, as users write it. What is left out is not decided here.

Seconds where not said otherwise. Bounds are those within which nothing can be lost or harmed by mistake.
"""

from collections.abc import Mapping
from enum import StrEnum
from re import compile
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from apps.kernel.errors import Fault, Invalid

DAY = 86_400
SOONEST_DISABLED = 60  # of failing without a success
Seconds = Annotated[float, Meta(ge=0, le=30 * DAY)]
Positive = Annotated[int, Meta(ge=1, le=1_000_000)]
WHERE = compile(r" - at `\$(.*)`$")  # how msgspec ends what it says
HEADER_PREFIX = r"^[a-z][a-z0-9-]{0,30}-$(?!\n)"  # "$" alone lets a line break pass in Python; JSON Schema has no \Z


class _Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class Exponential(_Shape, frozen=True):
    """The next wait is `factor` times the last one, up to `longest`, for `attempts` attempts in all."""

    first: Annotated[float, Meta(gt=0, le=DAY)] = 5
    factor: Annotated[float, Meta(ge=1, le=10)] = 2
    longest: Annotated[float, Meta(gt=0, le=30 * DAY)] = DAY
    attempts: Annotated[int, Meta(ge=1, le=100)] = 10


class Retry(_Shape, frozen=True):
    """When a failed delivery is tried again: by a list of waits, or exponentially, or else by the default schedule."""

    schedule: Annotated[tuple[Seconds, ...], Meta(max_length=100)] | None = None  # [] is a single attempt
    exponential: Exponential | None = None
    jitter: Annotated[float, Meta(ge=0, le=1)] = 0.1  # give or take this share of a wait
    max_age: Annotated[int, Meta(ge=1, le=30 * DAY)] | None = None  # given up when so old


class RateLimit(_Shape, frozen=True):
    """A token bucket: `per_second` on average, `burst` at once."""

    per_second: Annotated[float, Meta(gt=0, le=100_000)]
    burst: Positive = 1


class Breaker(_Shape, frozen=True):
    """After `failures` in a row nothing is sent for `open_for`, twice as long each time, up to `longest`."""

    enabled: bool = True
    failures: Positive = 20
    open_for: Annotated[float, Meta(gt=0, le=DAY)] = 5
    longest: Annotated[float, Meta(gt=0, le=DAY)] = 300
    ramp: Annotated[float, Meta(ge=0, le=3_600)] = 10  # in which the pace is raised again after it closed


class OnPoison(StrEnum):
    """What an ordered destination does about an event that won't be taken."""

    BLOCK = "block"  # the rest of its key waits until somebody retries or cancels it
    SKIP = "skip"  # after so many attempts the rest goes on without it, and it is tried on beside them
    DEAD_LETTER = "dead_letter"  # after so many attempts, or at its schedule's end, it is dead, and the rest goes on


class Poison(_Shape, frozen=True):
    """`after` so many failed attempts; None: at the end of the schedule."""

    action: OnPoison = OnPoison.DEAD_LETTER
    after: Annotated[int, Meta(ge=1, le=100)] | None = None


class PayloadFormat(StrEnum):
    """What a body looks like."""

    STANDARD = "standard"  # {"type", "timestamp", "data"}, Standard Webhooks 1.0
    CLOUDEVENTS = "cloudevents"  # CloudEvents 1.0, structured mode
    CLOUDEVENTS_BINARY = "cloudevents_binary"  # CloudEvents 1.0, binary mode: `ce-*` headers, the body is the data
    DATA = "data"  # the producer's data alone


class Scheme(StrEnum):
    """How deliveries are signed (Standard Webhooks 1.0)."""

    HMAC = "v1"
    ED25519 = "v1a"


class Signing(_Shape, frozen=True):
    """By which schemes, and under which headers: `webhook-id` and so on, or with the prefix of an earlier provider."""

    schemes: Annotated[tuple[Scheme, ...], Meta(min_length=1, max_length=2)] = (Scheme.HMAC,)
    header_prefix: Annotated[str, Meta(pattern=HEADER_PREFIX)] = "webhook-"


class Policy(_Shape, frozen=True):
    """How to deliver. Of an event type only `retry` and `timeout` count."""

    retry: Retry | None = None
    timeout: Annotated[float, Meta(ge=0.1, le=60)] | None = None  # 15 unless said
    rate_limit: RateLimit | None = None
    max_in_flight: Positive | None = None  # of all engines together
    adaptive: bool | None = None  # fewer at once where the receiver slows; on unless said
    breaker: Breaker | None = None
    disable_after: Annotated[int, Meta(ge=SOONEST_DISABLED, le=90 * DAY)] | None = None  # of failing only; 5 days
    poison: Poison | None = None
    payload_format: PayloadFormat | None = None
    signing: Signing | None = None


def schemes_of(policy: Policy) -> tuple[Scheme, ...]:
    """How its destination signs."""
    return (policy.signing or Signing()).schemes


def parse_policy(value: object, *, pointer: str = "/policy") -> Policy:
    """Raises Invalid with a fault that points to what is wrong."""
    try:
        policy = msgspec.convert(value, Policy, strict=True)
    except msgspec.ValidationError as error:
        raise _invalid(*_placed(str(error)), pointer) from None
    if policy.retry and policy.retry.schedule is not None and policy.retry.exponential:
        raise _invalid("give a schedule or an exponential one, not both", "/retry", pointer)
    return policy


def stored_policy(stored: Mapping[str, Any], *names: str) -> Policy:
    """Only these fields of a stored one: a newer release may have written others, which are not ours to judge."""
    return msgspec.convert({name: stored[name] for name in names if name in stored}, Policy)


def changed_policy(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored after a change: each field that is given replaces the earlier one, and null takes it out."""
    kept = {name: value for name, value in before.items() if name not in given}
    return as_stored(parse_policy({**kept, **{name: value for name, value in given.items() if value is not None}}))


def as_stored(policy: Policy) -> dict[str, Any]:
    """Plain JSON, without what is left out."""
    stored: dict[str, Any] = msgspec.to_builtins(policy)
    return stored


def _placed(said: str) -> tuple[str, str]:
    """What msgspec says, and where, as a JSON Pointer."""
    found = WHERE.search(said)
    path = found[1] if found else ""
    where = path.replace("[...]", "").replace("[", "/").replace("]", "").replace(".", "/")
    detail = said[: found.start()] if found else said
    if detail.startswith("Invalid enum value"):  # which it quotes, and it may be a secret in a wrong place
        detail = "is none of the values there are"
    return detail, where


def _invalid(detail: str, where: str, pointer: str) -> Invalid:
    return Invalid("the policy is not valid", faults=[Fault(f"{pointer}{where}", detail)])


def policy_schema() -> dict[str, Any]:
    """The policy in JSON Schema, whole: nothing in it refers to elsewhere."""
    _, definitions = msgspec.json.schema_components([Policy])
    inlined: dict[str, Any] = _inlined({"$ref": "#/$defs/Policy"}, definitions)
    return inlined


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if name := schema.get("$ref"):
        return _inlined(definitions[name.rpartition("/")[2]], definitions)
    return {key: _inlined(value, definitions) for key, value in schema.items()}


def merged(ours: Policy, beneath: Policy) -> Policy:
    """Field by field ours, and where it says nothing, the other's."""
    names = Policy.__struct_fields__
    given: Mapping[str, Any] = {
        name: getattr(ours if getattr(ours, name) is not None else beneath, name) for name in names
    }
    return Policy(**given)
