"""Which addresses deliveries may reach, for every kind: policy, check of a URL, vetted look-up of a name.

An address is judged twice: when a destination is made, so that people hear of a mistake at once, and at the moment
of connecting, because a name can point elsewhere by then. Needs neither framework nor database.
"""

from apps.destinations.egress.policy import EgressPolicy, narrowed
from apps.destinations.egress.resolver import Resolution, Resolver
from apps.destinations.egress.urls import vet_resolved, vet_url

__all__ = ["EgressPolicy", "Resolution", "Resolver", "narrowed", "vet_resolved", "vet_url"]
