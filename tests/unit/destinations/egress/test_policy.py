"""Which addresses are refused, by which rule, and what an operator's networks lift."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import example, given
from hypothesis.strategies import ip_addresses

from apps.destinations.egress import EgressPolicy

CLOSED = EgressPolicy()

PERMITTED = """
    1.1.1.1  8.8.8.8  9.255.255.255  11.0.0.0  100.63.255.255  100.128.0.0  126.255.255.255  128.0.0.0
    169.253.255.255  169.255.0.0  172.15.255.255  172.32.0.0  192.167.255.255  192.169.0.0  198.17.255.255
    198.20.0.0  223.255.255.255  168.63.129.15
    2606:4700:4700::1111  2001:4860:4860::8888  2a00:1450:4001:830::200e  2400::1  3ffe::1
"""

REFUSED = [
    ("0.0.0.0", "unspecified"),
    ("0.1.2.3", "reserved"),
    ("10.0.0.0", "private"),
    ("10.255.255.255", "private"),
    ("100.64.0.1", "carrier-grade NAT"),
    ("100.100.100.200", "metadata"),
    ("127.0.0.1", "loopback"),
    ("127.255.255.255", "loopback"),
    ("168.63.129.16", "metadata"),
    ("169.254.169.254", "link-local"),
    ("169.254.170.2", "metadata"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.0.0.192", "metadata"),
    ("192.0.0.1", "reserved"),
    ("192.0.2.1", "documentation"),
    ("192.88.99.1", "6to4"),
    ("192.168.0.1", "private"),
    ("198.18.0.1", "benchmarking"),
    ("198.19.255.255", "benchmarking"),
    ("198.51.100.7", "documentation"),
    ("203.0.113.9", "documentation"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.254", "reserved"),
    ("255.255.255.255", "broadcast"),
    ("::", "unspecified"),
    ("::1", "loopback"),
    ("::2", "IPv4-compatible, reserved"),
    ("::7f00:1", "IPv4-compatible, loopback"),
    ("::808:808", "IPv4-compatible address"),
    ("::ffff:127.0.0.1", "IPv4-mapped, loopback"),
    ("::ffff:8.8.8.8", "IPv4-mapped address"),
    ("::ffff:0:10.0.0.1", "IPv4-translated, private"),
    ("64:ff9b::169.254.169.254", "NAT64, link-local"),
    ("64:ff9b::8.8.8.8", "NAT64 address"),
    ("64:ff9b:1::10.0.0.1", "NAT64, private"),
    ("64:ff9b:1:7f00:0:100::", "NAT64, loopback"),
    ("100::1", "discard-only"),
    ("2001::1", "Teredo"),
    ("2001:0:808:808:0:0:80ff:fffe", "Teredo, loopback"),
    ("2001:0:a00:1:0:0:f7f7:f7f7", "Teredo, private"),
    ("2001:2::1", "benchmarking"),
    ("2001:10::1", "reserved"),
    ("2001:20::1", "reserved"),
    ("2001:db8::1", "documentation"),
    ("2002:7f00:1::", "6to4, loopback"),
    ("2002:a9fe:a9fe::1", "6to4, link-local"),
    ("2002:808:808::1", "6to4 address"),
    ("3fff::1", "documentation"),
    ("4000::1", "reserved"),
    ("5f00::1", "reserved"),
    ("fc00::1", "unique-local"),
    ("fd12:3456::1", "unique-local"),
    ("fd00:ec2::254", "metadata"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "zone"),
    ("2606:4700::1%1", "zone"),
    ("fec0::1", "site-local"),
    ("ff02::1", "multicast"),
    ("", "not an IP address"),
    ("localhost", "not an IP address"),
    ("127.1", "not an IP address"),
    ("0177.0.0.1", "not an IP address"),
]


def allowing(*networks: str) -> EgressPolicy:
    return EgressPolicy(tuple(map(ip_network, networks)))


@pytest.mark.parametrize("address", PERMITTED.split())
def test_permits_public_addresses(address: str) -> None:
    assert CLOSED.refusal(address) is None


@pytest.mark.parametrize(("address", "rule"), REFUSED)
def test_refuses_by_the_rule(address: str, rule: str) -> None:
    assert rule in (CLOSED.refusal(address) or "permitted")


@given(ip_addresses())
@example(IPv6Address("64:ff9b:1::"))
@example(IPv4Address("192.0.0.9"))
def test_refuses_all_that_the_standard_library_does_not_call_global(address: IPv4Address | IPv6Address) -> None:
    assert address.is_global or CLOSED.refusal(address)


@given(ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_one_is_never_better_off(address: IPv4Address) -> None:
    number, policy = int(address), allowing("64:ff9b::/96", "2002::/16", "2001::/32", "::ffff:0:0/96", "::/96")
    forms = [0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80, number]
    for form in forms:
        inside = IPv6Address(form)
        assert CLOSED.refusal(inside)
        assert policy.refusal(inside) is None or policy.refusal(address)


@pytest.mark.parametrize(
    ("network", "lifted", "still_refused"),
    [
        ("127.0.0.0/8", "127.0.0.1", "10.0.0.1"),
        ("10.1.0.0/16", "10.1.2.3", "10.2.0.1"),
        ("10.1.0.0/16", "::ffff:10.1.2.3", "::ffff:10.2.0.1"),
        ("10.1.0.0/16", "10.1.2.3", "2002:a01:203::"),
        ("10.1.0.0/16", "10.1.2.3", "64:ff9b::10.1.2.3"),
        ("169.254.169.254/32", "169.254.169.254", "169.254.170.2"),
        ("fd00::/8", "fd00::1", "fc00::1"),
        ("::1/128", "::1", "127.0.0.1"),
        ("64:ff9b::/96", "64:ff9b::8.8.8.8", "64:ff9b::169.254.169.254"),
        ("::/0", "fe80::1", "::ffff:127.0.0.1"),
        ("::/0", "ff02::1", "fe80::1%eth0"),
        ("0.0.0.0/0", "127.0.0.1", "::1"),
    ],
)
def test_an_allowed_network_lifts_what_lies_in_it_and_no_more(network: str, lifted: str, still_refused: str) -> None:
    policy = allowing(network)
    assert policy.refusal(lifted) is None
    assert policy.refusal(still_refused)
