"""Which certificates receivers are believed by: the system's, or those of SSL_CERT_FILE and SSL_CERT_DIR."""

import os
import ssl
from pathlib import Path

from apps.destinations.kinds.webhook.failures import TLS_FAILED, AttemptFailed

# Where Linux distributions and BSDs keep them; an interpreter that was built elsewhere looks in other places.
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def client_context() -> ssl.SSLContext:
    """A context that checks certificates and names; takes some 10 ms. Raises AttemptFailed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_verify_locations(*_trusted())
    except (OSError, TypeError):  # also SSLError, for a file without certificates
        raise AttemptFailed(TLS_FAILED, "this machine has no CA certificates to check the receiver's with") from None
    return context


def _trusted() -> tuple[str | None, str | None]:
    """File and directory: those of the environment and no others where it names any."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file or folder:
        return file or None, folder or None
    default = ssl.get_default_verify_paths()
    found = default.cafile or next((bundle for bundle in BUNDLES if Path(bundle).is_file()), None)
    return found, default.capath
