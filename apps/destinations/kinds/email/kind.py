"""What the platform asks of a kind, answered for e-mail."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from apps.accounts.egress import EgressRules
from apps.destinations.kinds.email.config import FIELDS, clean
from apps.destinations.kinds.email.form import FORM
from apps.destinations.kinds.email.sender import EmailSender
from apps.destinations.kinds.email.server import MailServer
from apps.destinations.kinds.email.settings import get_domains, get_sender_address, get_server

SHOWN = 3  # addresses in a summary


class EmailKind:
    """`to` and an optional `subject_prefix`; see config.py. Not for producers' events: mail servers are no queues."""

    name = "email"
    title = "E-mail"
    fields = FIELDS
    form = FORM
    signs = takes_events = False

    def __init__(
        self,
        server: Callable[[], MailServer | None] = get_server,
        address: Callable[[], str] = get_sender_address,
        domains: Callable[[], Sequence[str]] = get_domains,
    ) -> None:
        self._server, self._address, self._domains = server, address, domains

    def unavailable(self) -> str:
        return "" if self._server() else "e-mail is not set up here: EMAIL_URL and TRUNKLINE_EMAIL_FROM are missing"

    def change(self, config: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        return {**config, **given}

    def clean(
        self, config: Mapping[str, Any], egress: EgressRules | None = None, *, before: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Egress rules are about receivers; the mail server is the operator's."""
        return clean(config, self._domains())

    def public(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Nothing of it is secret."""
        return dict(config)

    def summary(self, config: Mapping[str, Any]) -> str:
        to = config["to"]
        more = f" and {len(to) - SHOWN} more" if len(to) > SHOWN else ""
        return ", ".join(to[:SHOWN]) + more

    def sender(self) -> EmailSender:
        return EmailSender(self._server(), self._address(), self._domains())
