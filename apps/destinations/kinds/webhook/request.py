"""The head of one request: what its route has ready, and the headers of Standard Webhooks for this message."""

import re

from apps.destinations.kinds.base import Message, Target
from apps.destinations.kinds.webhook.route import Route
from apps.destinations.kinds.webhook.signing import sign
from apps.destinations.policy.shape import HEADER_PREFIX
from apps.kernel.clock import clock

STANDARD = "webhook-"
PREFIX = re.compile(HEADER_PREFIX)


def head_of(route: Route, target: Target, message: Message) -> bytes:
    """Everything before the body; raises ValueError for what would be read as more than one header."""
    if not (message.id.isprintable() and message.traceparent.isprintable()):
        raise ValueError("a header with control characters")
    timestamp = int(clock.seconds())
    signature = sign(target.secrets, message.id, timestamp, message.body)
    prefix = signing.header_prefix if (signing := target.policy.signing) else STANDARD
    if prefix is not STANDARD and not PREFIX.match(prefix):  # refused when saved, and again here
        raise ValueError("a header prefix that can't be sent")
    trace = f"traceparent: {message.traceparent}\r\n" if message.traceparent else ""
    more = "".join([f"{name}: {value}\r\n" for name, value in message.headers]) if message.headers else ""
    own = (
        f"{prefix}id: {message.id}\r\n{prefix}timestamp: {timestamp}\r\n{prefix}signature: {signature}\r\n"
        f"{trace}{more}content-type: {message.content_type}\r\ncontent-length: {len(message.body)}\r\n\r\n"
    )
    return route.head + own.encode("ascii")


def unsigned_head(route: Route, message: Message) -> bytes:
    """The same without what proves who sends it, for receivers that go by the URL."""
    own = f"content-type: {message.content_type}\r\ncontent-length: {len(message.body)}\r\n\r\n"
    return route.head + own.encode("ascii")
