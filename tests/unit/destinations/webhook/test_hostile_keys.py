"""Keys and certificates made to keep a web process busy: refused at once, whatever they claim to be."""

import time
from base64 import encodebytes

import pytest

from apps.destinations.kinds.webhook.client_tls import clean_tls
from apps.kernel.errors import Fault
from tests.unit.destinations.webhook.test_outbound_config import own

MOMENT = 1.0  # seconds; OpenSSL would test the primes below for half a minute and more
MERSENNE = [2**exponent - 1 for exponent in (1279, 2203, 2281, 3217, 4253, 4423)]  # known primes

DSA = """-----BEGIN PRIVATE KEY-----
MIIBWgIBADCCATMGByqGSM44BAEwggEmAoGBAObSDVOnJ0x0x8mA4aozyCdZFuvf
s3bgfSDiVMDMmntvU6tlE5sT8Z3E4neFAFknGyprJJ0fPOxx7sUMS3OAdwgSQZ7S
2utRdYz6oAwVsmQEVhED4xEbu3ooc6b/XTap+tqDc4GMB8pe5LH/BSN4QNJKnWvV
/6Ar0sIjgM2gZg7fAh0ApUZeD4xBJaSvKHXT7ogN8IJrVzTCGZeNT7BoYQKBgBgE
txZYsQ8/uN2gWVGTY23RMZKnls2SNRdkWjQxIGzFJXIldrTIdpvLO+HQfeX2aaPw
3VCl660ycVlUXShb6YWG6Hb0friOv9iOs9u3VXDjy3Vgo4dRccuP9t/beO1iZlyv
nrmXkRcAoi+PkzGTddflWdJWCp57/4ja3LZyXRHJBB4CHGbQcayE/9VtJkxtSgo8
Js56ZV3weFZRKeKj8Ac=
-----END PRIVATE KEY-----
"""
DH = """-----BEGIN PRIVATE KEY-----
MIGcAgEAMFMGCSqGSIb3DQEDATBGAkEAk9ry88m98zzmWumObpCb4gFCBzWtpXeF
FJ4/EMBo1OVPGmk37kyvQUqzaR6EKdJmjaECQIMdRLnCvU7wfg6k9wIBAgRCAkAv
/wxiFfp8prh9HHl7zG/LLmSpIP5kLYIo1203LLsfnRKoB9FJg/eJgHOhxvLt1leu
B0Le+0EcNmKhmjp/8iJx
-----END PRIVATE KEY-----
"""


def der(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def rsa_key(p: int, q: int, n: int) -> str:
    """PKCS #1, in PEM (RFC 8017 A.1.2)."""
    e = 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = (0, n, e, d % (n - 1), p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))
    body = der(0x30, b"".join(der(2, one.to_bytes(one.bit_length() // 8 + 1)) for one in numbers))
    return f"-----BEGIN RSA PRIVATE KEY-----\n{encodebytes(body).decode()}-----END RSA PRIVATE KEY-----\n"


HOSTILE = {
    "long": rsa_key(MERSENNE[4], MERSENNE[5], MERSENNE[4] * MERSENNE[5]),
    "many bits": rsa_key(MERSENNE[1], MERSENNE[2], MERSENNE[1] * MERSENNE[2]),
    "lopsided": rsa_key(MERSENNE[3], 2**521 - 1, MERSENNE[3] * (2**521 - 1)),
    "few bits, huge primes": rsa_key(MERSENNE[2], MERSENNE[1], 2**1023 + 1),
    "DSA": DSA,
    "DH": DH,
}


@pytest.mark.parametrize("key", HOSTILE.values(), ids=HOSTILE)
def test_no_key_keeps_us_busy(key: str) -> None:
    faults: list[Fault] = []
    began = time.process_time()
    clean_tls({**own(), "private_key": key}, faults)
    assert time.process_time() - began < MOMENT
    assert [fault.pointer for fault in faults] == ["/tls/private_key"]
    assert faults[0].detail.startswith("must ")  # and not that it is another certificate's


@pytest.mark.parametrize(("name", "many"), [("certificate", 11), ("ca", 51)])
def test_certificates_are_few(name: str, many: int) -> None:
    mine, faults = own(), list[Fault]()
    first = mine["certificate"].partition("-----END CERTIFICATE-----\n")
    clean_tls({**mine, name: "".join(first[:2]) * many}, faults)
    assert [fault.pointer for fault in faults] == [f"/tls/{name}"]
