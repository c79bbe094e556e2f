"""What is unsafe, or unknown, in an environment; pure, over the raw strings, so that all faults show at once."""

from collections.abc import Mapping, Set
from difflib import get_close_matches
from ipaddress import ip_network

TRUE = {"1", "true", "yes", "on", "t", "y"}
SHORTEST_SECRET = 50
WIDEST_NETWORK = {4: 8, 6: 16}  # the shortest prefix that an allowance may have


def faults(values: Mapping[str, str], known: Set[str]) -> list[str]:
    """Every fault of the values, each one line."""
    found = _unknown(values, known)
    if values.get("TRUNKLINE_ENV", "").lower() == "production":
        found += [*_unsafe_secrets(values), *_unsafe_web(values), *_unsafe_networks(values)]
    return found


def _unknown(values: Mapping[str, str], known: Set[str]) -> list[str]:
    found = []
    for name in sorted(values):
        if name.startswith("TRUNKLINE_") and name not in known and not name.startswith("TRUNKLINE_TEST_"):
            near = get_close_matches(name, known, n=1)
            found.append(f"{name}: unknown" + (f"; did you mean {near[0]}?" if near else ""))
    return found


def _unsafe_secrets(values: Mapping[str, str]) -> list[str]:
    found = []
    key = values.get("SECRET_KEY", "")
    if len(key) < SHORTEST_SECRET or len(set(key)) < 10 or key.startswith("django-insecure"):
        found.append(f"SECRET_KEY: production needs a random one of at least {SHORTEST_SECRET} characters")
    if not values.get("TRUNKLINE_ENCRYPTION_KEYS"):
        found.append("TRUNKLINE_ENCRYPTION_KEYS: production needs at least one `id:base64` key")
    if not values.get("DATABASE_URL"):
        found.append("DATABASE_URL: production needs one (sqlite:///… is allowed, if that is what you mean)")
    return found


def _unsafe_web(values: Mapping[str, str]) -> list[str]:
    found = []
    if values.get("DEBUG", "").lower() in TRUE:
        found.append("DEBUG: must be off in production")
    hosts = [host.strip() for host in values.get("ALLOWED_HOSTS", "").split(",") if host.strip()]
    if not hosts or "*" in hosts:
        found.append("ALLOWED_HOSTS: production needs the names it is served under, and never `*`")
    if "*" in values.get("CORS_ALLOWED_ORIGINS", ""):
        found.append("CORS_ALLOWED_ORIGINS: name the origins, `*` is refused")
    return found


def _unsafe_networks(values: Mapping[str, str]) -> list[str]:
    found = []
    for text in filter(None, map(str.strip, values.get("TRUNKLINE_ALLOWED_NETWORKS", "").split(","))):
        try:
            network = ip_network(text)
        except ValueError:
            continue  # the field's own validation names it
        if network.prefixlen < WIDEST_NETWORK[network.version]:
            found.append(f"TRUNKLINE_ALLOWED_NETWORKS: {text} opens too much; name the networks you mean")
    return found
