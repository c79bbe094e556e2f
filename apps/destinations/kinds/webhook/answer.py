"""Reading one answer, and no more of it than we want."""

import msgspec
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from apps.destinations.kinds.webhook.failures import PROTOCOL_ERROR, AttemptFailed

HEAD_LIMIT = 32 * 1024  # bytes, with all informational answers before it
READ_LIMIT = 16 * 1024  # bytes of a body we wait for; where there are more, the connection is dropped
LIMIT = 256 * 1024  # bytes of it all, with the framing of chunks and what follows them
KEPT = 1024  # bytes of them that are kept
LONGEST_RETRY_AFTER = 64  # characters

LENGTHS = (b"content-length", b"transfer-encoding")


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What a receiver said."""

    status: int
    body: bytes
    retry_after: str
    is_whole: bool = True  # to the end of the body, or as far as we read

    def __repr__(self) -> str:
        return f"Answer({self.status}, {len(self.body)} bytes)"  # a token, or what a receiver repeats of a request


class AnswerReader:
    """Reads the answers on one connection, one after the other; the parser calls the `on_…` methods.

    What comes after an answer is no part of it, so that a receiver can't answer a request before it is made.
    """

    __slots__ = (
        "_body",
        "_ended",
        "_has_length",
        "_keep",
        "_kept",
        "_left",
        "_parser",
        "_retry_after",
        "_status",
        "seen",
    )

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._parser = HttpResponseParser(self)
        self.begin()

    def begin(self) -> None:
        """Get ready for the next answer."""
        self.seen = 0  # bytes of it
        self._status, self._body, self._retry_after = 0, b"", b""
        self._left = READ_LIMIT
        self._has_length = self._keep = self._ended = False

    def feed(self, data: bytes) -> Answer | None:
        """The answer, as soon as enough of it is there. Raises AttemptFailed for what is no HTTP."""
        self.seen += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._keep = False
            if not self._status:
                raise _not_http(str(error) if isinstance(error, HttpParserError) else "another protocol") from None
            return self._answer(is_whole=self._ended)
        if 0 < self._status < 100:
            raise _not_http("no such status")
        if self._ended or self._left < 0 or self.seen > LIMIT:
            return self._answer()
        if not self._status and self.seen > HEAD_LIMIT:
            raise _not_http("message head is too large")
        return None

    def close(self, *, cleanly: bool) -> Answer | None:
        """The connection is over: what there is of an answer, if there is a status."""
        if self._status < 100:
            return None
        return self._answer(is_whole=cleanly and not self._has_length)

    @property
    def status(self) -> int | None:
        """The status, where it came and the body did not end."""
        return self._status or None

    @property
    def may_go_on(self) -> bool:
        """Whether the connection can carry another request: the answer ended, and nothing came after it."""
        return self._keep

    def _answer(self, *, is_whole: bool = True) -> Answer:
        retry_after = self._retry_after[:LONGEST_RETRY_AFTER]
        # Bytes beyond ASCII are neither a number nor a date.
        return Answer(self._status, self._body, retry_after.decode() if retry_after.isascii() else "", is_whole)

    # What the parser calls

    def on_message_begin(self) -> None:
        if self._ended:
            self._keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._status or self._ended:
            return
        name = name.lower()
        if name in LENGTHS:
            self._has_length = True
        elif name == b"retry-after":
            self._retry_after = value

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if not self._ended and not 100 <= status < 200:
            self._status = status

    def on_body(self, data: bytes) -> None:
        if not self._ended:
            self._left -= len(data)
            self._body += data[: self._kept - len(self._body)]

    def on_message_complete(self) -> None:
        if self._status and not self._ended:  # an informational answer is followed by the real one
            self._ended, self._keep = True, self._parser.should_keep_alive() and self._left >= 0


def _not_http(why: str) -> AttemptFailed:
    return AttemptFailed(PROTOCOL_ERROR, f"not an HTTP answer: {why}")
