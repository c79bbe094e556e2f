"""The environment, read and validated once: one typed object, and all faults named together."""

import base64
import binascii
import os
from collections.abc import Mapping
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from apps.accounts.egress import is_host
from apps.destinations.egress.proxy import parse_proxy
from apps.destinations.kinds.email.domains import parse_domain
from apps.destinations.kinds.email.server import MailServer, parse_address, parse_server
from config import production

ROOT = Path(__file__).resolve().parent.parent
SECRETS = {
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "DATABASE_URL",
    "REDIS_URL",
    "EMAIL_URL",
    "TRUNKLINE_ENCRYPTION_KEYS",
    "TRUNKLINE_METRICS_TOKEN",
    "TRUNKLINE_EGRESS_PROXY",
}

type Network = IPv4Network | IPv6Network


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _networks(value: object) -> object:
    return [ip_network(str(part)) for part in value] if isinstance(value := _split(value), list) else value


def _proxy(value: object) -> object:
    if isinstance(value, str):
        parse_proxy(value)
    return value


def _encryption_keys(value: object) -> object:
    if not isinstance(value := _split(value), list):
        return value
    keys = [_encryption_key(str(part)) for part in value]
    if len({key_id for key_id, _ in keys}) < len(keys):
        raise ValueError("each key needs an id of its own: it says which key opens what")
    return keys


def _encryption_key(text: str) -> tuple[str, bytes]:
    key_id, _, encoded = text.partition(":")
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        key = b""
    if not key_id.isalnum() or len(key_id) > 16 or len(key) != 32:
        raise ValueError("each key is `id:base64` with an id of 1 to 16 letters or digits and 32 bytes")
    return key_id, key


def _hosts(value: object) -> object:
    """Names in lower case; what can't be one would deny nothing, silently."""
    if not isinstance(value := _split(value), list):
        return value
    for name in map(str, value):
        if not is_host(name.lower()):
            raise ValueError(f"{name!r} is no host name; a name stands for itself and for all beneath it")
    return [str(name).lower() for name in value]


def _ports(value: object) -> object:
    ports = _split(value)
    if isinstance(ports, list) and not all(
        port.isascii() and port.isdigit() and 0 < int(port) < 65_536 for port in ports
    ):
        raise ValueError("must be ports, 1 to 65535, separated by commas")
    return ports


def _public_url(value: object) -> object:
    if value is None:
        return None
    parts = urlsplit(str(value))
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(
            "must be the http or https URL under which people reach the admin: https://trunkline.example.com"
        )
    return str(value).rstrip("/")


def _email_url(value: object) -> object:
    return value if value is None else parse_server(str(value))


def _email_address(value: object) -> object:
    return value if value is None else parse_address(str(value))


def _domains(value: object) -> object:
    """A value that names none would open all, silently."""
    if not isinstance(value := _split(value), list):
        return value
    if not value:
        raise ValueError("names no domain: example.com, or *.example.com for all beneath it; empty is any")
    return list(dict.fromkeys(parse_domain(str(name)) for name in value))


type PublicURL = Annotated[str | None, BeforeValidator(_public_url)]
type EmailURL = Annotated[MailServer | None, BeforeValidator(_email_url)]
type EmailAddress = Annotated[str | None, BeforeValidator(_email_address)]
type Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
type Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)]
type Hosts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_hosts)]
type Domains = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_domains)]
type Ports = Annotated[tuple[int, ...], NoDecode, BeforeValidator(_ports)]
type EncryptionKeys = Annotated[tuple[tuple[str, bytes], ...], NoDecode, BeforeValidator(_encryption_keys)]


class Environment(BaseSettings):
    """Every variable Trunkline reads; docs/reference/environment.md is the table for people."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    trunkline_env: Literal["embedded", "production"] = "embedded"
    trunkline_data_dir: Path = ROOT / "var"
    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    secret_key: SecretStr | None = None
    secret_key_fallbacks: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)] = ()
    debug: bool = False
    allowed_hosts: Words = ()
    csrf_trusted_origins: Words = ()
    cors_allowed_origins: Words = ()
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["console", "json"] | None = None
    web_concurrency: int = Field(default=1, ge=1, le=256)
    web_threads: int = Field(default=8, ge=1, le=256)
    trunkline_intake_processes: int = Field(default=0, ge=0, le=64)
    trunkline_allowed_networks: Networks = ()
    trunkline_egress_proxy: Annotated[SecretStr, BeforeValidator(_proxy)] | None = None
    trunkline_egress_no_proxy: Words = ()
    trunkline_denied_networks: Networks = ()
    trunkline_denied_hosts: Hosts = ()
    trunkline_allowed_ports: Ports = ()
    trunkline_https_only: bool = False
    trunkline_encryption_keys: EncryptionKeys = Field(default=(), repr=False)
    trunkline_engine_concurrency: int = Field(default=256, ge=1, le=4096)
    trunkline_lease_seconds: int = Field(default=60, ge=30, le=3600)
    trunkline_retention_days: int = Field(default=90, ge=0, le=36500)
    trunkline_quota_events_per_second: int = Field(default=0, ge=0, le=10**6)
    trunkline_quota_events_per_month: int = Field(default=0, ge=0, le=10**12)
    trunkline_quota_destinations: int = Field(default=0, ge=0, le=10**6)
    trunkline_quota_payload_bytes: int = Field(default=0, ge=0, le=5_000_000)
    trunkline_quota_backlog: int = Field(default=0, ge=0, le=10**9)
    trunkline_metrics_token: SecretStr | None = None
    trunkline_public_url: PublicURL = None
    email_url: EmailURL = Field(default=None, repr=False)
    trunkline_email_from: EmailAddress = None
    trunkline_email_domains: Domains = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *others: PydanticBaseSettingsSource,
        **more: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `read` hands over: a second look at os.environ would bring back what it set aside."""
        return (init_settings,)

    @property
    def production(self) -> bool:
        return self.trunkline_env == "production"

    @property
    def encryption_keys(self) -> tuple[tuple[str, bytes], ...]:
        return self.trunkline_encryption_keys


class EnvironmentFaults(Exception):
    """Trunkline refuses to start; the text names every fault, one a line."""

    def __init__(self, faults: list[str]) -> None:
        lines = "\n".join(f"  - {fault}" for fault in faults)
        super().__init__(f"Trunkline can't start with this environment:\n{lines}")
        self.faults = faults


@cache
def load() -> Environment:
    """The environment of this process; raises EnvironmentFaults."""
    return read(os.environ)


def read(environ: Mapping[str, str]) -> Environment:
    """Validate `environ`; raises EnvironmentFaults with all that is wrong, not the first thing only."""
    values, faults = _with_files(environ)
    fields = Environment.model_fields
    data: dict[str, Any] = {name: values[name.upper()] for name in fields if values.get(name.upper())}
    environment = None
    try:
        environment = Environment.model_validate(data)
    except ValidationError as error:
        faults += [f"{str(fault['loc'][0]).upper()}: {_plainly(fault['msg'])}" for fault in error.errors()]
    if environment and (environment.email_url is None) != (environment.trunkline_email_from is None):
        faults.append("EMAIL_URL: goes with TRUNKLINE_EMAIL_FROM: set both, or neither")
    known = {name.upper() for name in fields}
    faults += production.faults(values, known | {f"{name}_FILE" for name in SECRETS})
    if faults or environment is None:
        raise EnvironmentFaults(faults)
    return environment


def _plainly(message: str) -> str:
    return message.removeprefix("Value error, ")


def _with_files(environ: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """NAME_FILE names a file that holds NAME (Docker and Kubernetes secrets)."""
    values, faults = dict(environ), []
    for name in sorted(SECRETS):
        path = environ.get(f"{name}_FILE")
        if not path:
            continue
        if environ.get(name):
            faults.append(f"{name} and {name}_FILE are both set: set one")
            continue
        try:
            values[name] = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            faults.append(f"{name}_FILE: {path}: {error.strerror}")
        except UnicodeDecodeError:
            faults.append(f"{name}_FILE: {path}: is not UTF-8 text")
    return values, faults
