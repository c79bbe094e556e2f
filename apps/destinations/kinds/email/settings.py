"""The one place where this kind touches the framework: what the operator configured of letters."""

from django.conf import settings

from apps.destinations.kinds.email.server import MailServer


def get_server() -> MailServer | None:
    """From EMAIL_URL; None where there is none."""
    server: MailServer | None = settings.MAIL_SERVER
    return server


def get_domains() -> tuple[str, ...]:
    """From TRUNKLINE_EMAIL_DOMAINS; none are any."""
    return tuple(settings.MAIL_DOMAINS)


def get_sender_address() -> str:
    """From TRUNKLINE_EMAIL_FROM."""
    return str(settings.MAIL_FROM)
