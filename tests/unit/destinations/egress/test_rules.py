"""The rules beside public or not: deny lists, hosts, ports, https; an installation's, and a project's that narrow."""

from ipaddress import IPv6Address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import ip_addresses

from apps.accounts.egress import EgressRules, changed_rules, parse_rules, rules_in
from apps.destinations.egress import EgressPolicy, narrowed, vet_resolved, vet_url
from apps.kernel.errors import Invalid

INSTALLATION = EgressPolicy(
    allowed_networks=(ip_network("10.0.0.0/8"),),
    denied_networks=(ip_network("10.9.0.0/16"), ip_network("8.8.4.0/24"), ip_network("2a00::/16")),
    denied_hosts=("evil.example",),
    allowed_ports=frozenset({443, 8443, 80}),
)


def under(policy: EgressPolicy = INSTALLATION, **rules: Any) -> EgressPolicy:
    return narrowed(policy, parse_rules(rules))


def refused(url: str, policy: EgressPolicy, addresses: tuple[str, ...] = ("1.1.1.1",)) -> tuple[str, str]:
    """Code and detail; empty where the URL is accepted."""
    try:
        vet_url(url, policy)
        vet_resolved(url, policy, 5.0, lookup=lambda _: addresses)
    except Invalid as problem:
        [fault] = problem.faults
        assert fault.pointer == "/url"
        return fault.code, fault.detail
    return "", ""


OURS = [
    ("https://10.1.2.3/", "", ""),
    ("https://8.8.8.8:8443/", "", ""),
    ("https://hook.example/", "", ""),
    ("https://10.9.0.1/", "address_refused", "10.9.0.1: refused by TRUNKLINE_DENIED_NETWORKS: 10.9.0.0/16"),
    ("https://8.8.4.4/", "address_refused", "TRUNKLINE_DENIED_NETWORKS: 8.8.4.0/24"),
    ("https://[::ffff:10.9.0.1]/", "address_refused", "IPv4-mapped, refused by TRUNKLINE_DENIED_NETWORKS"),
    ("https://[64:ff9b::8.8.4.4]/", "address_refused", "NAT64, refused by TRUNKLINE_DENIED_NETWORKS"),
    ("https://[2a00::1]/", "address_refused", "2a00::/16"),
    ("https://192.168.0.1/", "address_refused", "192.168.0.1: private address (RFC 1918)"),
    ("https://hook.example:25/", "port_refused", "port 25: not among the allowed ports (TRUNKLINE_ALLOWED_PORTS)"),
    ("https://evil.example/", "host_refused", "TRUNKLINE_DENIED_HOSTS: evil.example"),
    ("https://EVIL.example./", "host_refused", "TRUNKLINE_DENIED_HOSTS: evil.example"),
    ("https://hooks.evil.example/", "host_refused", "TRUNKLINE_DENIED_HOSTS: evil.example"),
    ("https://notevil.example/", "", ""),
]


@pytest.mark.parametrize(("url", "code", "said"), OURS)
def test_the_installation_s_rules(url: str, code: str, said: str) -> None:
    found, detail = refused(url, INSTALLATION)
    assert found == code, detail
    assert said in detail


def test_a_name_that_points_at_a_denied_network() -> None:
    code, detail = refused("https://hook.example/", INSTALLATION, ("1.1.1.1", "8.8.4.4"))
    assert code == "address_refused"
    assert "TRUNKLINE_DENIED_NETWORKS: 8.8.4.0/24" in detail
    assert "8.8.4.4" not in detail


def test_https_only() -> None:
    policy = EgressPolicy(https_only=True)
    assert refused("http://hook.example/", policy)[0] == "https_required"
    assert "TRUNKLINE_HTTPS_ONLY" in refused("http://8.8.8.8/", policy)[1]
    assert refused("https://hook.example/", policy) == ("", "")


PROJECTS: list[tuple[dict[str, Any], str, str, str]] = [
    ({"https_only": True}, "http://hook.example/", "https_required", "the project's rules"),
    (
        {"ports": [443]},
        "https://hook.example:8443/",
        "port_refused",
        "port 8443: not among the allowed ports (the proj",
    ),
    ({"ports": [25, 443]}, "https://hook.example:25/", "port_refused", "TRUNKLINE_ALLOWED_PORTS"),
    ({"deny": ["8.8.8.0/24"]}, "https://8.8.8.8/", "address_refused", "refused by the project's deny list: 8.8.8.0/24"),
    ({"deny": ["8.8.8.8"]}, "https://8.8.8.8/", "address_refused", "the project's deny list: 8.8.8.8/32"),
    ({"deny": ["hook.example"]}, "https://a.hook.example/", "host_refused", "the project's deny list: hook.example"),
    ({"deny": ["1.1.1.1"]}, "https://hook.example/", "address_refused", "the project's deny list"),
    ({"allow": ["hook.example"]}, "https://hook.example/", "", ""),
    ({"allow": ["hook.example"]}, "https://a.hook.example/", "", ""),
    ({"allow": ["hook.example"]}, "https://other.example/", "host_refused", "not in the project's allow list"),
    ({"allow": ["hook.example"]}, "https://8.8.8.8/", "address_refused", "not in the project's allow list"),
    ({"allow": ["8.8.8.0/24"]}, "https://8.8.8.8/", "", ""),
    ({"allow": ["8.8.8.0/24"]}, "https://9.9.9.9/", "address_refused", "not in the project's allow list"),
    ({"allow": ["8.8.8.0/24"]}, "https://hook.example/", "address_refused", "not in the project's allow list"),
    ({"allow": ["1.1.1.0/24"]}, "https://hook.example/", "", ""),
    ({"allow": ["hook.example", "1.1.1.0/24"]}, "https://other.example/", "", ""),
    ({"allow": ["hook.example"], "deny": ["hook.example"]}, "https://hook.example/", "host_refused", "deny list"),
    # what the installation refuses stays refused
    ({"allow": ["192.168.0.0/16"]}, "https://192.168.0.1/", "address_refused", "private address"),
    ({"allow": ["0.0.0.0/0", "::/0"]}, "https://169.254.169.254/", "address_refused", "link-local"),
    ({"allow": ["10.9.0.0/16"]}, "https://10.9.0.1/", "address_refused", "TRUNKLINE_DENIED_NETWORKS"),
    ({"allow": ["evil.example"]}, "https://evil.example/", "host_refused", "TRUNKLINE_DENIED_HOSTS"),
    ({"allow": ["localhost"]}, "https://localhost/", "host_refused", "local network"),
    ({"https_only": False, "ports": []}, "https://hook.example/", "", ""),
]


@pytest.mark.parametrize(("rules", "url", "code", "said"), PROJECTS)
def test_a_project_s_rules_narrow(rules: dict[str, Any], url: str, code: str, said: str) -> None:
    found, detail = refused(url, under(**rules))
    assert found == code, detail
    assert said in detail


def test_an_allowed_name_that_points_inside_is_refused_all_the_same() -> None:
    assert refused("https://hook.example/", under(allow=["hook.example"]), ("127.0.0.1",))[0] == "address_refused"


@given(ip_addresses())
def test_no_project_opens_what_the_installation_refuses(address: Any) -> None:
    everything = under(allow=["0.0.0.0/0", "::/0"])
    assert (INSTALLATION.refusal(address) is None) or everything.refusal(address)
    assert under(deny=["0.0.0.0/0", "::/0"]).refusal(address)
    if isinstance(address, IPv6Address):
        assert under(allow=["0.0.0.0/0"]).refusal(address)


def test_the_same_rules_are_the_same_policy() -> None:
    text = '{"deny": ["8.8.8.8"]}'
    assert rules_in(text) is rules_in(text)
    assert narrowed(INSTALLATION, rules_in(text)) is narrowed(INSTALLATION, rules_in(text))
    assert rules_in("{}") is None
    assert narrowed(INSTALLATION, None) is INSTALLATION


WRONG: list[tuple[Any, list[tuple[str, str]]]] = [
    ([], [("/egress", "wrong_type")]),
    ({"alow": []}, [("/egress/alow", "unknown_field")]),
    ({"allow": "10.0.0.0/8"}, [("/egress/allow", "wrong_type")]),
    ({"https_only": "yes"}, [("/egress/https_only", "wrong_type")]),
    ({"deny": ["10.0.0.1/8"]}, [("/egress/deny/0", "invalid")]),
    ({"deny": ["10.0.0.0/33", "ok.example", "*.a"]}, [("/egress/deny/0", "invalid"), ("/egress/deny/2", "invalid")]),
    ({"allow": ["Hook.Example", "", 7, "a b", "https://a.example", "bücher.example", ".example"]},
     [(f"/egress/allow/{n}", "invalid") for n in range(7)]),
    ({"ports": [0, 65_536, "443", True]}, [(f"/egress/ports/{n}", "invalid") for n in range(4)]),
    ({"ports": [1] * 101}, [("/egress/ports", "too_many")]),
]  # fmt: skip


@pytest.mark.parametrize(("value", "faults"), WRONG)
def test_what_can_be_no_rules(value: Any, faults: list[tuple[str, str]]) -> None:
    with pytest.raises(Invalid) as caught:
        parse_rules(value)
    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == faults


def test_a_change_replaces_by_field_and_null_takes_out() -> None:
    before = {"allow": ["a.example"], "ports": [443]}
    assert changed_rules(before, {"ports": None, "deny": ["8.8.8.8"]}) == {"allow": ["a.example"], "deny": ["8.8.8.8"]}
    assert parse_rules({}).ports == EgressRules().ports
