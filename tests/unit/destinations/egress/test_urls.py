"""URLs at creation: every spelling of an inner address, parser tricks, and what is left alone."""

# ruff: noqa: RUF001 (letters that look like others are what this is about)

from collections.abc import Sequence
from ipaddress import ip_network
from threading import Event

import pytest
from pyreqwest.http import Url

from apps.destinations.egress import EgressPolicy, vet_resolved, vet_url
from apps.kernel.errors import Invalid

CLOSED = EgressPolicy()
LOOPBACK = EgressPolicy((ip_network("127.0.0.0/8"),))
INTERNAL = EgressPolicy((ip_network("10.0.0.0/8"),))

HOSTILE_ADDRESSES = """
    127.0.0.1  127.1  127.0.1  127.127.127.127  0  0.0.0.0  2130706433  017700000001  0x7f000001  0x7f.1  0x7F.0.0.1
    0177.0.0.1  0177.0.0.01  00000177.0.0.1  127.0.0x0.1  0x7f.0x0.0x0.0x1  127.0.0.1.  ①②⑦.⓪.⓪.①  １２７.０.０.１
    127。0。0。1  127．0．0．1  127｡0｡0｡1  %31%32%37.0.0.1  127%2e0%2e0%2e1  127.0.0.1:80  127.0.0.1:443
    10.0.0.1  10.1  167772161  0xa000001  012.0.0.1  172.16.0.1  172.31.255.255  192.168.0.1  192.168.257  3232235521
    0xC0A80001  0300.0250.0.1  169.254.169.254  169.254.43518  2852039166  0xA9FEA9FE  0xA9.0xFE.0xA9.0xFE
    0251.0376.0251.0376  0251.254.169.254  ①⑥⑨.②⑤④.①⑥⑨.②⑤④  100.100.100.200  192.0.0.192  168.63.129.16  100.64.0.1
    198.18.0.1  224.0.0.1  255.255.255.255  4294967295  0xffffffff  0xe0000001
    [::]  [::1]  [0:0:0:0:0:0:0:1]  [0000::1]  [::1]:8080  [::127.0.0.1]  [::7f00:1]  [::ffff:127.0.0.1]
    [::ffff:7f00:1]  [0:0:0:0:0:FFFF:127.0.0.1]  [::FFFF:A9FE:A9FE]  [::ffff:0:7f00:1]  [64:ff9b::127.0.0.1]
    [64:ff9b::a9fe:a9fe]  [64:ff9b:1::7f00:1]  [2002:7f00:1::]  [2002:a9fe:a9fe::]  [2001:0:1:1:1:1:80ff:fffe]
    [fe80::1]  [fc00::1]  [fd00:ec2::254]  [fec0::1]  [ff02::1]  [2001:db8::1]
"""

HOSTILE_NAMES = """
    localhost  LOCALHOST  LocalHost.  a.localhost  localhost.localdomain  ⓛⓞⓒⓐⓛⓗⓞⓢⓣ  ｌｏｃａｌｈｏｓｔ  local%68ost
    localhost。  printer.local  db.internal  router.lan  nas.home.arpa  metadata  metadata.google.internal
    METADATA.google.internal.  instance-data  instance-data.ec2.internal
    host.docker.internal  kubernetes.default.svc.cluster.local
"""

CONFUSING = [
    ("ftp://example.com/", "scheme_not_allowed"),
    ("file:///etc/passwd", "scheme_not_allowed"),
    ("gopher://127.0.0.1:6379/_FLUSHALL", "scheme_not_allowed"),
    ("javascript:alert(1)", "scheme_not_allowed"),
    ("data:text/plain,x", "scheme_not_allowed"),
    ("//example.com/", "scheme_not_allowed"),
    ("example.com/hook", "scheme_not_allowed"),
    ("http:example.com", "scheme_not_allowed"),
    ("http:/example.com", "scheme_not_allowed"),
    ("http:///example.com", "scheme_not_allowed"),
    ("http://", "scheme_not_allowed"),
    ("http://?x", "scheme_not_allowed"),
    ("", "scheme_not_allowed"),
    ("http:\\\\127.0.0.1\\", "invalid_url"),
    ("http://example.com\\@127.0.0.1/", "invalid_url"),
    ("http://127.1.1.1:80\\@127.2.2.2:80/", "invalid_url"),
    ("http://user@example.com/", "userinfo_not_allowed"),
    ("http://user:password@example.com/", "userinfo_not_allowed"),
    ("http://@example.com/", "userinfo_not_allowed"),
    ("http://example.com:80@127.0.0.1/", "userinfo_not_allowed"),
    ("http://1.1.1.1&@127.0.0.1?@3.3.3.3/", "userinfo_not_allowed"),
    ("http://example.com#@127.0.0.1/", "fragment_not_allowed"),
    ("http://127.0.0.1#example.com", "fragment_not_allowed"),
    ("http://example.com/#", "fragment_not_allowed"),
    ("http://127.0.0.1\t/", "invalid_url"),
    ("http://local\nhost/", "invalid_url"),
    ("http://example.com/\r\nHost: other", "invalid_url"),
    ("http://example.com/a b", "invalid_url"),
    (" http://example.com/", "invalid_url"),
    ("http://exam\u00a0ple.com/", "invalid_url"),
    ("http://exam\u2028ple.com/", "invalid_url"),
    ("http://example.com/\x00", "invalid_url"),
    ("http://example.com/\x7f", "invalid_url"),
    ("http://example.com/\ud800", "invalid_url"),
    ("http://127.0.0.1%00.example.com/", "invalid_url"),
    ("http://127.0.0.1%0d%0a/", "invalid_url"),
    ("http://256.1.1.1/", "invalid_url"),
    ("http://1.2.3.4.5/", "invalid_url"),
    ("http://0x100000000/", "invalid_url"),
    ("http://09.0.0.1/", "invalid_url"),
    ("http://[::1%25eth0]/", "invalid_url"),
    ("http://[fe80::1%eth0]/", "invalid_url"),
    ("http://[::1/", "invalid_url"),
    ("http://[127.0.0.1]/", "invalid_url"),
    ("http://[::1]:80:80/", "invalid_url"),
    ("http://example.com:0/", "port_not_allowed"),
    ("http://example.com:65536/", "invalid_url"),
    ("http://example.com:-1/", "invalid_url"),
    ("http://./", "invalid_url"),
    ("http://a..b/", "invalid_url"),
    ("http://*/", "invalid_url"),
    ("http://-a.example/", "invalid_url"),
    ("http://" + "a" * 64 + ".example/", "invalid_url"),
    ("http://" + "a." * 127 + "example/", "invalid_url"),
    ("http://example.com/" + "a" * 2048, "too_long"),
    ("http://example.com/" + "ü" * 1000, "too_long"),  # short as given, long once percent-encoded
]

ACCEPTED = [
    ("https://example.com", "https://example.com/"),
    ("HTTPS://EXAMPLE.com:443/Hook", "https://example.com/Hook"),
    ("http://example.com:80/", "http://example.com/"),
    ("http://example.com:8080/a/../b?x=1&y=", "http://example.com:8080/b?x=1&y="),
    ("https://example.com./hook", "https://example.com/hook"),
    ("https://bücher.example/ü?ü=ü", "https://xn--bcher-kva.example/%C3%BC?%C3%BC=%C3%BC"),
    ("https://ⓔⓧⓐⓜⓟⓛⓔ.com/", "https://example.com/"),
    ("https://exam\u00adple.com/", "https://example.com/"),  # a soft hyphen, which IDNA drops
    ("https://hooks.example.com/a@b?c=@d", "https://hooks.example.com/a@b?c=@d"),
    ("https://my_host.example/", "https://my_host.example/"),
    ("https://8.8.8.8/", "https://8.8.8.8/"),
    ("https://0x08080808/", "https://8.8.8.8/"),
    ("https://[2606:4700:4700:0:0::1111]/", "https://[2606:4700:4700::1111]/"),
    ("http://receiver:9000/", "http://receiver:9000/"),
    ("https://localhost.example.com/", "https://localhost.example.com/"),
    ("https://internal.example.com/", "https://internal.example.com/"),
]


def code_of(url: str, policy: EgressPolicy = CLOSED) -> str:
    with pytest.raises(Invalid) as caught:
        vet_url(url, policy)
    (fault,) = caught.value.faults
    assert fault.pointer == "/url"
    assert fault.detail
    return fault.code


@pytest.mark.parametrize("host", HOSTILE_ADDRESSES.split())
def test_refuses_inner_addresses_in_every_spelling(host: str) -> None:
    assert code_of(f"http://{host}/hook") == "address_refused"


@pytest.mark.parametrize("host", HOSTILE_NAMES.split())
def test_refuses_names_of_the_local_network(host: str) -> None:
    assert code_of(f"https://{host}/") == "host_refused"


@pytest.mark.parametrize(("url", "code"), CONFUSING)
def test_refuses_what_readers_of_urls_disagree_about(url: str, code: str) -> None:
    assert code_of(url) == code


@pytest.mark.parametrize(("url", "normal"), ACCEPTED)
def test_returns_the_one_normal_spelling(url: str, normal: str) -> None:
    assert vet_url(url, CLOSED) == normal
    assert vet_url(normal, CLOSED) == normal


@pytest.mark.parametrize(
    ("url", "policy"),
    [
        ("http://127.0.0.1:9000/", LOOPBACK),
        ("http://2130706433/", LOOPBACK),
        ("http://[::ffff:127.0.0.1]/", LOOPBACK),
        ("http://localhost:9000/", LOOPBACK),
        ("http://a.localhost/", LOOPBACK),
        ("http://10.0.0.1/", INTERNAL),
        ("http://web.apps.svc.cluster.local/", INTERNAL),
        ("http://host.docker.internal/", INTERNAL),
    ],
)
def test_what_the_operator_opened_is_accepted(url: str, policy: EgressPolicy) -> None:
    assert vet_url(url, policy)


@pytest.mark.parametrize(
    ("url", "policy", "code"),
    [
        ("http://10.0.0.1/", LOOPBACK, "address_refused"),
        ("http://[::1]/", LOOPBACK, "address_refused"),
        ("http://db.internal/", LOOPBACK, "host_refused"),
        ("http://metadata.google.internal/", LOOPBACK, "host_refused"),
        ("http://metadata.google.internal/", INTERNAL, "host_refused"),
        ("http://localhost/", INTERNAL, "host_refused"),
    ],
)
def test_what_the_operator_did_not_open_stays_refused(url: str, policy: EgressPolicy, code: str) -> None:
    assert code_of(url, policy) == code


class Lookup:
    """A name server with one answer, or none."""

    def __init__(self, *addresses: str) -> None:
        self.addresses, self.asked = addresses, list[str]()

    def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        if not self.addresses:
            raise OSError("no such name")
        return self.addresses


def test_a_name_is_refused_when_any_of_its_addresses_is() -> None:
    with pytest.raises(Invalid) as caught:
        vet_resolved("https://hook.example/", CLOSED, 5.0, lookup=Lookup("8.8.8.8", "10.0.0.1"))
    (fault,) = caught.value.faults
    assert (fault.pointer, fault.code) == ("/url", "address_refused")
    assert "private address" in fault.detail
    assert "10.0.0.1" not in fault.detail  # what our names point at inside is no tenant's business


def test_a_name_passes_while_its_addresses_do() -> None:
    lookup = Lookup("8.8.8.8", "2606:4700::1")
    vet_resolved("https://hook.example:8443/x", CLOSED, 5.0, lookup=lookup)
    assert lookup.asked == ["hook.example"]


def test_a_name_without_an_answer_passes() -> None:
    lookup = Lookup()
    vet_resolved("https://not-yet.example/", CLOSED, 5.0, lookup=lookup)
    assert lookup.asked == ["not-yet.example"]


def test_an_address_needs_no_look_up() -> None:
    lookup = Lookup("10.0.0.1")
    vet_resolved("https://8.8.8.8/", CLOSED, 5.0, lookup=lookup)
    assert lookup.asked == []


def test_a_name_server_that_does_not_answer_is_not_waited_for() -> None:
    release = Event()

    def never(host: str) -> Sequence[str]:
        release.wait()
        return ["10.0.0.1"]

    vet_resolved("https://slow.example/", CLOSED, 0.01, lookup=never)
    release.set()


def test_what_is_vetted_is_what_the_client_library_reads() -> None:
    vetted = vet_url("http://0300.0250.1:8080/", EgressPolicy((ip_network("192.168.0.0/16"),)))
    assert Url(vetted).host_str == "192.168.0.1"
