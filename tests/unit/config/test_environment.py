"""The environment is read once and whole: every fault has its line, and all lines come together."""

import base64
from ipaddress import ip_network
from pathlib import Path

import pytest

from config.environment import SECRETS, EnvironmentFaults, read

KEY = base64.b64encode(bytes(range(32))).decode()
SECRET = "q7Gm2vX9sLw4ZtR8yBn5KdF3hJc6PaEuTiOk1MxWzVbNrQfS0YgU"
PRODUCTION = {
    "TRUNKLINE_ENV": "production",
    "SECRET_KEY": SECRET,
    "TRUNKLINE_ENCRYPTION_KEYS": f"2026a:{KEY}",
    "DATABASE_URL": "postgres://trunkline@db/trunkline",
    "ALLOWED_HOSTS": "trunkline.example.com",
}


def faults(**environ: str) -> list[str]:
    with pytest.raises(EnvironmentFaults) as refused:
        read(environ)
    return refused.value.faults


def test_nothing_set_is_the_embedded_default() -> None:
    environment = read({})
    assert not environment.production
    assert environment.database_url is None
    assert (environment.web_concurrency, environment.trunkline_lease_seconds) == (1, 60)


def test_only_what_is_handed_in_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_THREADS", "3")
    monkeypatch.setenv("SECRET_KEY", SECRET)
    assert (read({}).web_threads, read({}).secret_key) == (8, None)


def test_empty_is_unset() -> None:
    assert read({"DEBUG": "", "DATABASE_URL": "", "TRUNKLINE_ALLOWED_NETWORKS": ""}) == read({})


def test_values_are_typed() -> None:
    environment = read(
        {
            **PRODUCTION,
            "DEBUG": "false",
            "ALLOWED_HOSTS": "a.example, b.example,",
            "TRUNKLINE_ALLOWED_NETWORKS": "10.1.0.0/16, fd00::/16",
            "SECRET_KEY_FALLBACKS": "one,two",
            "TRUNKLINE_ENCRYPTION_KEYS": f"b:{KEY},a:{KEY}",
            "WEB_CONCURRENCY": "4",
        }
    )
    assert environment.production
    assert environment.allowed_hosts == ("a.example", "b.example")
    assert environment.trunkline_allowed_networks == (ip_network("10.1.0.0/16"), ip_network("fd00::/16"))
    assert [key.get_secret_value() for key in environment.secret_key_fallbacks] == ["one", "two"]
    assert environment.encryption_keys == (("b", bytes(range(32))), ("a", bytes(range(32))))
    assert environment.web_concurrency == 4


WRONG = [
    ("TRUNKLINE_ENV", "staging", "'embedded' or 'production'"),
    ("DEBUG", "maybe", "boolean"),
    ("LOG_LEVEL", "LOUD", "'DEBUG'"),
    ("LOG_FORMAT", "xml", "'console' or 'json'"),
    ("WEB_CONCURRENCY", "0", "greater than or equal to 1"),
    ("WEB_THREADS", "257", "less than or equal to 256"),
    ("TRUNKLINE_ENGINE_CONCURRENCY", "many", "valid integer"),
    ("TRUNKLINE_LEASE_SECONDS", "29", "greater than or equal to 30"),
    ("TRUNKLINE_ALLOWED_NETWORKS", "10.0.0.1/8", "has host bits set"),
    ("TRUNKLINE_ALLOWED_NETWORKS", "everything", "does not appear to be"),
    ("TRUNKLINE_PUBLIC_URL", "trunkline.example.com", "https://trunkline.example.com"),
    ("TRUNKLINE_PUBLIC_URL", "https://trunkline.example.com/?x=1", "https://trunkline.example.com"),
    ("EMAIL_URL", "http://mail.example.com", "smtp://"),
    ("EMAIL_URL", "smtp://me:hunter2@mail.example.com/?tls=off", "without TLS"),
    ("TRUNKLINE_EMAIL_FROM", "Trunkline <a@b>", "one plain address"),
    ("TRUNKLINE_EMAIL_DOMAINS", "example.com,ops@example.com", "'ops@example.com' is no domain: example.com, or"),
    ("TRUNKLINE_EMAIL_DOMAINS", "*", "empty is any"),
    ("TRUNKLINE_EMAIL_DOMAINS", ",", "names no domain"),
    ("TRUNKLINE_EMAIL_DOMAINS", " ", "names no domain"),
    ("TRUNKLINE_EGRESS_PROXY", "https://proxy.example:3128", "must start with http://"),
    ("TRUNKLINE_EGRESS_PROXY", "http://proxy.example", "must have a host and a port"),
    ("TRUNKLINE_ENCRYPTION_KEYS", "a:c2hvcnQ=", "32 bytes"),
    ("TRUNKLINE_ENCRYPTION_KEYS", "a:not base64!", "32 bytes"),
    ("TRUNKLINE_ENCRYPTION_KEYS", KEY, "`id:base64`"),
    ("TRUNKLINE_ENCRYPTION_KEYS", f"a:{KEY},a:{KEY}", "an id of its own"),
]


@pytest.mark.parametrize(("name", "value", "says"), WRONG)
def test_a_wrong_value_is_one_line(name: str, value: str, says: str) -> None:
    [line] = faults(**{name: value})
    assert line.startswith(f"{name}: ")
    assert says in line
    assert "Value error" not in line


@pytest.mark.parametrize("name", ["SECRET_KEY", "TRUNKLINE_ENCRYPTION_KEYS", "DATABASE_URL", "EMAIL_URL"])
def test_a_fault_never_quotes_a_secret(name: str) -> None:
    told = "\n".join(faults(**{"TRUNKLINE_ENV": "production", name: "hunter2:hunter2"}))
    assert "hunter2" not in told


def test_all_faults_come_at_once() -> None:
    told = faults(WEB_THREADS="0", LOG_LEVEL="LOUD", TRUNKLINE_LEASE_SECOND="60", TRUNKLINE_ENV="production")
    assert {line.split(":")[0] for line in told} == {
        "WEB_THREADS",
        "LOG_LEVEL",
        "TRUNKLINE_LEASE_SECOND",
        "SECRET_KEY",
        "TRUNKLINE_ENCRYPTION_KEYS",
        "DATABASE_URL",
        "ALLOWED_HOSTS",
    }
    assert len(told) == len(set(told))


def test_the_text_of_the_error_has_a_line_for_each() -> None:
    with pytest.raises(EnvironmentFaults) as refused:
        read({"WEB_THREADS": "0", "LOG_LEVEL": "LOUD"})
    assert str(refused.value).count("\n  - ") == 2


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_every_secret_may_come_as_a_file(name: str, tmp_path: Path) -> None:
    special = {
        "TRUNKLINE_ENCRYPTION_KEYS": f"a:{KEY}",
        "TRUNKLINE_EGRESS_PROXY": "http://me:pass@10.0.0.1:3128",
        "EMAIL_URL": "smtps://me:p@mail",
    }
    value = special.get(name, "redis://cache")
    (tmp_path / "secret").write_text(f"{value}\n")
    more = {"TRUNKLINE_EMAIL_FROM": "a@b"} if name == "EMAIL_URL" else {}
    assert read({f"{name}_FILE": str(tmp_path / "secret"), **more}) == read({name: value, **more})


def test_e_mail_needs_server_and_sender() -> None:
    for half in ({"EMAIL_URL": "smtp://me:hunter2@mail.example.com"}, {"TRUNKLINE_EMAIL_FROM": "a@b"}):
        [line] = faults(**half)
        assert line == "EMAIL_URL: goes with TRUNKLINE_EMAIL_FROM: set both, or neither"
    whole = read({"EMAIL_URL": "smtp://me:hunter2@mail.example.com", "TRUNKLINE_EMAIL_FROM": "a@b"})
    assert whole.email_url
    assert (whole.email_url.host, whole.email_url.password) == ("mail.example.com", "hunter2")
    assert "hunter2" not in repr(whole)


def test_domains_of_letters_have_one_spelling() -> None:
    environment = read({"TRUNKLINE_EMAIL_DOMAINS": "Example.com, *.bücher.example,example.com,"})
    assert environment.trunkline_email_domains == ("example.com", "*.xn--bcher-kva.example")
    assert read({"TRUNKLINE_EMAIL_DOMAINS": ""}).trunkline_email_domains == ()


def test_the_public_url_has_no_slash_at_its_end() -> None:
    assert read({"TRUNKLINE_PUBLIC_URL": "https://t.example.com/"}).trunkline_public_url == "https://t.example.com"


def test_a_file_counts_for_production_too(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    by_file = {name: value for name, value in PRODUCTION.items() if name != "SECRET_KEY"}
    assert read({**by_file, "SECRET_KEY_FILE": str(tmp_path / "secret")}) == read(PRODUCTION)


def test_both_set_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    [line] = faults(SECRET_KEY=SECRET, SECRET_KEY_FILE=str(tmp_path / "secret"))
    assert line == "SECRET_KEY and SECRET_KEY_FILE are both set: set one"


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    [line] = faults(SECRET_KEY_FILE=str(tmp_path / "nowhere"))
    assert line == f"SECRET_KEY_FILE: {tmp_path / 'nowhere'}: No such file or directory"


def test_a_file_that_is_no_text_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\xff\xfe\x00")
    [line] = faults(SECRET_KEY_FILE=str(tmp_path / "secret"))
    assert line == f"SECRET_KEY_FILE: {tmp_path / 'secret'}: is not UTF-8 text"
