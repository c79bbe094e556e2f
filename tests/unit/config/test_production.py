"""What a production environment may not be."""

import base64

import pytest

from config import production

KNOWN = {
    "TRUNKLINE_ENV",
    "TRUNKLINE_LEASE_SECONDS",
    "TRUNKLINE_ALLOWED_NETWORKS",
    "TRUNKLINE_ENCRYPTION_KEYS",
    "TRUNKLINE_ENCRYPTION_KEYS_FILE",
}
SAFE = {
    "TRUNKLINE_ENV": "production",
    "SECRET_KEY": "q7Gm2vX9sLw4ZtR8yBn5KdF3hJc6PaEuTiOk1MxWzVbNrQfS0YgU",
    "TRUNKLINE_ENCRYPTION_KEYS": "a:" + base64.b64encode(bytes(32)).decode(),
    "DATABASE_URL": "postgres://db/trunkline",
    "ALLOWED_HOSTS": "trunkline.example.com",
}
UNSAFE = [
    ("SECRET_KEY", ""),
    ("SECRET_KEY", "short"),
    ("SECRET_KEY", "ab" * 40),  # long, and no secret
    ("SECRET_KEY", "django-insecure-q7Gm2vX9sLw4ZtR8yBn5KdF3hJc6PaEuTiOk1MxWzVb"),
    ("TRUNKLINE_ENCRYPTION_KEYS", ""),
    ("DATABASE_URL", ""),
    ("DEBUG", "1"),
    ("DEBUG", "True"),
    ("DEBUG", "on"),
    ("ALLOWED_HOSTS", ""),
    ("ALLOWED_HOSTS", " , "),
    ("ALLOWED_HOSTS", "a.example, *"),
    ("CORS_ALLOWED_ORIGINS", "https://*.example.com"),
    ("TRUNKLINE_ALLOWED_NETWORKS", "0.0.0.0/0"),
    ("TRUNKLINE_ALLOWED_NETWORKS", "10.0.0.0/7"),
    ("TRUNKLINE_ALLOWED_NETWORKS", "10.0.0.0/8,::/0"),
]


def test_the_safe_one_is_safe() -> None:
    assert production.faults(SAFE, KNOWN) == []


@pytest.mark.parametrize(("name", "value"), UNSAFE)
def test_each_unsafe_value_is_one_fault(name: str, value: str) -> None:
    [line] = production.faults({**SAFE, name: value}, KNOWN)
    assert line.startswith(f"{name}: ")


@pytest.mark.parametrize(("name", "value"), UNSAFE)
def test_none_of_it_troubles_an_embedded_one(name: str, value: str) -> None:
    assert production.faults({**SAFE, "TRUNKLINE_ENV": "embedded", name: value}, KNOWN) == []


@pytest.mark.parametrize("networks", ["127.0.0.0/8", "10.0.0.0/8, fd00::/16", "192.168.1.5"])
def test_networks_that_are_meant(networks: str) -> None:
    assert production.faults({**SAFE, "TRUNKLINE_ALLOWED_NETWORKS": networks}, KNOWN) == []


UNKNOWN = [
    ("TRUNKLINE_LEASE_SECOND", "TRUNKLINE_LEASE_SECOND: unknown; did you mean TRUNKLINE_LEASE_SECONDS?"),
    (
        "TRUNKLINE_ENCRYPTION_KEY_FILE",
        "TRUNKLINE_ENCRYPTION_KEY_FILE: unknown; did you mean TRUNKLINE_ENCRYPTION_KEYS_FILE?",
    ),
    ("TRUNKLINE_ZZZZZZZZZZZZ", "TRUNKLINE_ZZZZZZZZZZZZ: unknown"),
]


@pytest.mark.parametrize(("name", "line"), UNKNOWN)
@pytest.mark.parametrize("environment", ["embedded", "production"])
def test_an_unknown_name_of_ours_is_a_fault_everywhere(name: str, line: str, environment: str) -> None:
    assert production.faults({**SAFE, "TRUNKLINE_ENV": environment, name: "1"}, KNOWN) == [line]


@pytest.mark.parametrize("name", ["PATH", "TRUNKLINE_TEST_POSTGRES_URL", "trunkline_lower"])
def test_other_names_are_nobodys_business(name: str) -> None:
    assert production.faults({**SAFE, name: "1"}, KNOWN) == []
