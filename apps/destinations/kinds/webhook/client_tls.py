"""A webhook's `tls`: the certificate it shows the receiver (mTLS), and whom it believes instead of the system's."""

import os
import re
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from tempfile import NamedTemporaryFile
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPrivateNumbers, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from apps.destinations.kinds.webhook.auth import MASK
from apps.kernel.clock import isoformat, now
from apps.kernel.errors import Fault

LONGEST = {"certificate": 32 * 1024, "private_key": 4096, "ca": 32 * 1024}  # characters
MOST = {"certificate": 10, "ca": 50}  # certificates in one
MOST_BITS = 4096  # of an RSA key of the client's, whose primes OpenSSL tests: seconds, and then minutes, beyond
MOST_PUBLIC_BITS = 8192  # of one in a certificate
PARTS = ("certificate", "private_key", "ca")
WHAT = {"certificate": "a certificate", "private_key": "a private key", "ca": "certificates"}

FIELD: Mapping[str, Any] = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "properties": {
        "certificate": {
            "type": "string",
            "writeOnly": True,
            "description": "PEM: the client's, then intermediate ones",
        },
        "private_key": {"type": "string", "writeOnly": True, "description": "PEM, without a passphrase"},
        "ca": {
            "type": "string",
            "writeOnly": True,
            "description": "PEM: whom to believe instead of public authorities",
        },
        "subject": {"type": "string", "readOnly": True},
        "expires_at": {"type": "string", "format": "date-time", "readOnly": True},
        "fingerprint": {"type": "string", "readOnly": True, "description": "SHA-256 of the certificate"},
        "has_ca": {"type": "boolean", "readOnly": True},
    },
    "description": "a client certificate for the receiver (mTLS); answers show whose it is. null takes it out again",
}


class ClientTLS(msgspec.Struct, frozen=True):
    """What one TLS context is made from; equal ones share it."""

    certificate: str
    private_key: str
    ca: str = ""

    def __repr__(self) -> str:
        return "ClientTLS(…)"


class _Unfit(ValueError):
    """Says why, and quotes nothing."""


def clean_tls(tls: object, faults: list[Fault]) -> dict[str, str]:
    """PEM as OpenSSL writes it, or empty where there is none; what is wrong goes to `faults`."""
    if tls is None:
        return {}
    if not isinstance(tls, Mapping):
        faults.append(Fault("/tls", "must be an object with certificate and private_key"))
        return {}
    faults += [Fault(f"/tls/{name}", "unknown field", "unknown_field") for name in tls if name not in PARTS]
    read = {name: _read(name, tls.get(name), faults) for name in PARTS}
    certificates, key = read["certificate"], read["private_key"]
    if certificates and certificates[0].not_valid_after_utc <= now():
        ended = isoformat(certificates[0].not_valid_after_utc)
        faults.append(Fault("/tls/certificate", f"has expired: it was valid until {ended}", "expired"))
    if certificates and key and _public(certificates[0].public_key()) != _public(key.public_key()):
        faults.append(Fault("/tls/private_key", "is not the key of the certificate, the first one given", "mismatch"))
    kept = {name: WRITERS[name](value) for name, value in read.items() if value}
    if kept.keys() >= {"certificate", "private_key"} and not faults:
        faults += _faults_of_openssl(client_tls_of(kept))
    return kept


def _faults_of_openssl(tls: ClientTLS | None) -> list[Fault]:
    """Whether the library that will use them takes them: it may find the key too short."""
    try:
        assert tls
        load_client(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), tls)
    except ssl.SSLError as error:
        reason = (error.reason or "unknown").replace("_", " ").lower()
        return [Fault("/tls/certificate", f"can't be used: {reason}")]
    return []


def load_client(context: ssl.SSLContext, tls: ClientTLS) -> None:
    """Give the context its certificate and key; raises SSLError. OpenSSL reads files only, so they are one, shortly."""
    with _private_file(tls.private_key + tls.certificate) as path:
        context.load_cert_chain(path, password="")  # never ask at the terminal


@contextmanager
def _private_file(text: str) -> Iterator[str]:
    """A file for this process alone: in memory on Linux, elsewhere one that only its owner can read."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("client-certificate"), "w") as file:
            file.write(text)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
        return
    with NamedTemporaryFile("w") as file:
        file.write(text)
        file.flush()
        yield file.name


def _read(name: str, text: object, faults: list[Fault]) -> Any:
    if text is None or text == "":
        if name != "ca":
            faults.append(Fault(f"/tls/{name}", f"is required: {WHAT[name]} in PEM form", "required"))
        return None
    if text == MASK:
        faults.append(Fault(f"/tls/{name}", "is the mask that stands for a hidden value", "masked"))
        return None
    try:
        if not isinstance(text, str) or len(text) > LONGEST[name]:
            raise _Unfit(f"must be a string of at most {LONGEST[name]:,} characters")
        return READERS[name](text.encode("utf-8", "replace"))
    except _Unfit as error:
        faults.append(Fault(f"/tls/{name}", str(error)))
    except Exception:  # what the library says may quote what it read
        faults.append(Fault(f"/tls/{name}", f"must hold {WHAT[name]} in PEM form"))
    return None


def _certificates(pem: bytes, most: int) -> Sequence[x509.Certificate]:
    if b"PRIVATE KEY" in pem:
        raise _Unfit("holds a private key: send that as private_key")
    if pem.count(b"-----BEGIN") > most:
        raise _Unfit(f"must be at most {most} certificates")
    read = x509.load_pem_x509_certificates(pem)
    for one in read:
        key = one.public_key()
        if isinstance(key, RSAPublicKey) and key.key_size > MOST_PUBLIC_BITS:
            raise _Unfit(f"has an RSA key of more than {MOST_PUBLIC_BITS} bits")
    return read


def _key(pem: bytes) -> Any:
    """OpenSSL tests an RSA key's primes for as long as their size demands, so that size is looked at first."""
    if re.search(rb"ENCRYPTED", pem):
        raise _Unfit("is encrypted: send it without a passphrase, it is stored encrypted anyhow")
    key = load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey | Ed448PrivateKey):
        raise _Unfit("must be an RSA, ECDSA or EdDSA key")
    if not isinstance(key, RSAPrivateKey):
        return key
    if key.key_size > MOST_BITS or _is_lopsided(key.private_numbers()):
        raise _Unfit(f"must be an RSA key of at most {MOST_BITS} bits, of two primes of half as many")
    return load_pem_private_key(pem, password=None)


def _is_lopsided(numbers: RSAPrivateNumbers) -> bool:
    """A key of few bits may still claim to be made of huge primes."""
    halves = (numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp)
    wholes = (numbers.d, numbers.public_numbers.e)
    return max(halves).bit_length() > MOST_BITS // 2 or max(wholes).bit_length() > MOST_BITS


def _public(key: Any) -> bytes:
    encoded: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _write_certificates(certificates: Sequence[x509.Certificate]) -> str:
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in certificates)


def _write_key(key: Any) -> str:
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


READERS: Mapping[str, Callable[[bytes], Any]] = {
    "certificate": partial(_certificates, most=MOST["certificate"]),
    "private_key": _key,
    "ca": partial(_certificates, most=MOST["ca"]),
}
WRITERS: Mapping[str, Callable[[Any], str]] = {
    "certificate": _write_certificates,
    "private_key": _write_key,
    "ca": _write_certificates,
}


def shown_tls(tls: Mapping[str, str]) -> dict[str, Any]:
    """Whose certificate it is, until when, and which one exactly."""
    first = x509.load_pem_x509_certificates(tls["certificate"].encode())[0]
    return {
        "subject": first.subject.rfc4514_string(),
        "expires_at": isoformat(first.not_valid_after_utc),
        "fingerprint": first.fingerprint(hashes.SHA256()).hex(),
        "has_ca": bool(tls.get("ca")),
    }


def client_tls_of(tls: Mapping[str, str]) -> ClientTLS | None:
    """None where the destination has none."""
    return ClientTLS(tls["certificate"], tls["private_key"], tls.get("ca", "")) if tls else None
