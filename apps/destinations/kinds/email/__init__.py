"""The e-mail kind: operational events as plain text, through the mail server the operator configured."""

from apps.destinations.kinds.email.kind import EmailKind
from apps.destinations.kinds.email.sender import EmailSender

__all__ = ["KIND", "EmailKind", "EmailSender"]

KIND = EmailKind()
