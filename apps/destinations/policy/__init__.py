"""How a destination wants its deliveries: the shape of what users write, checked when it is saved. Pure."""

from apps.destinations.policy.shape import (
    Breaker,
    Exponential,
    OnPoison,
    PayloadFormat,
    Poison,
    Policy,
    RateLimit,
    Retry,
    Scheme,
    Signing,
    as_stored,
    changed_policy,
    merged,
    parse_policy,
    policy_schema,
    schemes_of,
)

__all__ = [
    "Breaker",
    "Exponential",
    "OnPoison",
    "PayloadFormat",
    "Poison",
    "Policy",
    "RateLimit",
    "Retry",
    "Scheme",
    "Signing",
    "as_stored",
    "changed_policy",
    "merged",
    "parse_policy",
    "policy_schema",
    "schemes_of",
]
