"""Why an attempt got no answer: what the system and TLS say as stable codes, with one line for people."""

import errno
import os
import ssl

DNS_FAILED = "dns_failed"
ADDRESS_REFUSED = "address_refused"
HOST_REFUSED = "host_refused"
PORT_REFUSED = "port_refused"
HTTPS_REQUIRED = "https_required"
CONNECT_FAILED = "connect_failed"  # refused, unreachable, reset, hung up
TLS_FAILED = "tls_failed"
TIMEOUT = "timeout"
PROTOCOL_ERROR = "protocol_error"  # what came is not HTTP, or too much of it
AUTH_FAILED = "auth_failed"  # no access token was to be had
PROXY_FAILED = "proxy_failed"  # it can't be reached, or won't let us through
REQUEST_FAILED = "request_failed"  # all else

OS_PHRASES = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection reset",
    errno.EHOSTUNREACH: "host unreachable",
    errno.ENETUNREACH: "network unreachable",
    errno.ETIMEDOUT: "connection timed out",
}
CERTIFICATE_PHRASES = {  # by X509_V_ERR_…, see OpenSSL's X509_STORE_CTX_get_error
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "the certificate is self-signed",
    19: "the certificate is self-signed or its issuer is unknown",
    20: "the certificate is self-signed or its issuer is unknown",
    21: "the certificate is self-signed or its issuer is unknown",
    23: "the certificate is revoked",
    62: "the certificate is for another name",
    64: "the certificate is for another name",
}


class AttemptFailed(Exception):
    """The attempt is over; `unsent` when not even a connection was made, so that another address may be tried."""

    def __init__(
        self, code: str, detail: str, *, unsent: bool = False, status_code: int | None = None, inner: str = ""
    ) -> None:
        super().__init__(code, detail)
        self.inner = inner  # with what only operators may see
        self.code, self.detail, self.unsent, self.status_code = code, detail, unsent, status_code


class ProxyUnreachable(AttemptFailed):
    """Not even a connection to the proxy came about, so that another of its addresses may be tried."""

    def __init__(self, detail: str) -> None:
        super().__init__(PROXY_FAILED, detail)


def failure_of(error: OSError, peer: str, *, unsent: bool = False) -> AttemptFailed:
    """What `error` means; `peer` is the address and port, for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return AttemptFailed(TLS_FAILED, _certificate_phrase(error))
    if isinstance(error, ssl.SSLError):
        return AttemptFailed(TLS_FAILED, _tls_phrase(error))
    return AttemptFailed(CONNECT_FAILED, f"{peer}: {os_phrase(error)}", unsent=unsent)


def os_phrase(error: OSError) -> str:
    if error.errno is None:  # the event loop's own, such as the far side's end of a TLS connection
        return "connection reset" if isinstance(error, ConnectionResetError) else "connection closed"
    return OS_PHRASES.get(error.errno) or os.strerror(error.errno).lower()


def _certificate_phrase(error: ssl.SSLCertVerificationError) -> str:
    return CERTIFICATE_PHRASES.get(error.verify_code) or f"the certificate is not valid: {error.verify_message}"


def _tls_phrase(error: ssl.SSLError) -> str:
    reason = (error.reason or "unknown").replace("_", " ").lower()  # SSLV3_ALERT_HANDSHAKE_FAILURE
    if " alert " in reason:
        return f"the receiver refused TLS: {reason.partition(' alert ')[2]}"
    return f"no TLS connection: {reason}"
