"""Which certificates receivers are believed by: the system's, or those of SSL_CERT_FILE and SSL_CERT_DIR.

Destinations with certificates of their own have contexts of their own.
"""

import asyncio
import os
import ssl
from collections import OrderedDict
from pathlib import Path

from apps.destinations.kinds.webhook.client_tls import ClientTLS, load_client
from apps.destinations.kinds.webhook.failures import TLS_FAILED, AttemptFailed

# Where Linux distributions and BSDs keep them; an interpreter that was built elsewhere looks in other places.
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


MOST_CONTEXTS = 256  # of destinations with certificates of their own, up to 1 MB each


class Contexts:
    """The TLS contexts used lately, by value. One per event loop."""

    def __init__(self) -> None:
        self._made: OrderedDict[ClientTLS | None, asyncio.Task[ssl.SSLContext]] = OrderedDict()

    async def get(self, tls: ClientTLS | None) -> ssl.SSLContext:
        """Made once, in a thread; where that failed, tried again for the next connection."""
        made = self._made.get(tls)
        if made is None or (made.done() and (made.cancelled() or made.exception())):
            made = self._made[tls] = asyncio.create_task(asyncio.to_thread(client_context, tls))
            made.add_done_callback(_note)
        self._made.move_to_end(tls)
        while len(self._made) > MOST_CONTEXTS:
            self._made.popitem(last=False)
        return await asyncio.shield(made)

    def close(self) -> None:
        """Whoever still waits is told."""
        for made in self._made.values():
            made.cancel()


def _note(done: asyncio.Task[ssl.SSLContext]) -> None:
    """Its exception is known, whether or not anybody still waits for it."""
    if not done.cancelled():
        done.exception()


def client_context(tls: ClientTLS | None = None) -> ssl.SSLContext:
    """A context that checks certificates and names; takes some 10 ms. Raises AttemptFailed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if tls:
        _load(context, tls)
    if tls and tls.ca:
        return context
    try:
        context.load_verify_locations(*_trusted())
    except (OSError, TypeError):  # also SSLError, for a file without certificates
        raise AttemptFailed(TLS_FAILED, "this machine has no CA certificates to check the receiver's with") from None
    return context


def _load(context: ssl.SSLContext, tls: ClientTLS) -> None:
    try:
        load_client(context, tls)
        if tls.ca:
            context.load_verify_locations(cadata=tls.ca)
    except OSError:  # also SSLError
        raise AttemptFailed(TLS_FAILED, "the destination's own certificates can't be used") from None


def _trusted() -> tuple[str | None, str | None]:
    """File and directory: those of the environment and no others where it names any."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file or folder:
        return file or None, folder or None
    default = ssl.get_default_verify_paths()
    found = default.cafile or next((bundle for bundle in BUNDLES if Path(bundle).is_file()), None)
    return found, default.capath
