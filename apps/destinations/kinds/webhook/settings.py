"""The one place where this kind touches the framework: the egress policy the operator configured."""

from django.conf import settings

from apps.destinations.egress import EgressPolicy


def get_policy() -> EgressPolicy:
    """The policy in force, from TRUNKLINE_ALLOWED_NETWORKS; read when asked for, not when imported."""
    return EgressPolicy(tuple(settings.TRUNKLINE_ALLOWED_NETWORKS))
