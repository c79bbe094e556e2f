"""The one place where this kind touches the framework: the egress policy and the proxy the operator configured."""

from functools import cache

from django.conf import settings

from apps.destinations.egress import EgressPolicy
from apps.destinations.egress.proxy import parse_proxy
from apps.destinations.kinds.webhook.proxy import OperatorsProxy


def get_policy() -> EgressPolicy:
    """The policy in force, from the environment; read when asked for, not when imported. One object for one value."""
    return _policy(
        tuple(settings.TRUNKLINE_ALLOWED_NETWORKS),
        tuple(settings.TRUNKLINE_DENIED_NETWORKS),
        tuple(settings.TRUNKLINE_DENIED_HOSTS),
        frozenset(settings.TRUNKLINE_ALLOWED_PORTS),
        settings.TRUNKLINE_HTTPS_ONLY,
    )


_policy = cache(EgressPolicy)


def get_proxy() -> OperatorsProxy:
    """From TRUNKLINE_EGRESS_PROXY and TRUNKLINE_EGRESS_NO_PROXY."""
    url = settings.TRUNKLINE_EGRESS_PROXY
    return OperatorsProxy(parse_proxy(url) if url else None, tuple(settings.TRUNKLINE_EGRESS_NO_PROXY))
