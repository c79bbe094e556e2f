"""The one place where this kind touches the framework: the egress policy and the proxy the operator configured."""

from django.conf import settings

from apps.destinations.egress import EgressPolicy
from apps.destinations.egress.proxy import parse_proxy
from apps.destinations.kinds.webhook.proxy import OperatorsProxy


def get_policy() -> EgressPolicy:
    """The policy in force, from TRUNKLINE_ALLOWED_NETWORKS; read when asked for, not when imported."""
    return EgressPolicy(tuple(settings.TRUNKLINE_ALLOWED_NETWORKS))


def get_proxy() -> OperatorsProxy:
    """From TRUNKLINE_EGRESS_PROXY and TRUNKLINE_EGRESS_NO_PROXY."""
    url = settings.TRUNKLINE_EGRESS_PROXY
    return OperatorsProxy(parse_proxy(url) if url else None, tuple(settings.TRUNKLINE_EGRESS_NO_PROXY))
