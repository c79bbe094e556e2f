"""Reading answers, byte by byte if need be: what they mean, and where reading ends."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.destinations.kinds.webhook.answer import HEAD_LIMIT, KEPT, LIMIT, READ_LIMIT, Answer, AnswerReader
from apps.destinations.kinds.webhook.failures import AttemptFailed

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def feed(reader: AnswerReader, *pieces: bytes) -> Answer | None:
    for piece in pieces:
        if answer := reader.feed(piece):
            return answer
    return None


@pytest.mark.parametrize(
    ("data", "answer", "may_go_on"),
    [
        (OK, Answer(200, b"ok", ""), True),
        (b"HTTP/1.1 204 No\r\n\r\n", Answer(204, b"", ""), True),
        (b"HTTP/1.1 304 No\r\ncontent-length: 99\r\n\r\n", Answer(304, b"", ""), True),
        (b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 Hint\r\nretry-after: 9\r\n\r\n" + OK, Answer(200, b"ok", "9"), True),
        (CHUNKED + b"1\r\no\r\n1;x=y\r\nk\r\n0\r\nretry-after: 5\r\n\r\n", Answer(200, b"ok", ""), True),
        (b"HTTP/1.1 429 X\r\nRetry-After: 7\r\ncontent-length: 0\r\n\r\n", Answer(429, b"", "7"), True),
        (b"HTTP/1.1 429 X\r\nretry-after: \xfc\r\ncontent-length: 0\r\n\r\n", Answer(429, b"", ""), True),
        (OK.replace(b"OK", b"OK\r\nconnection: close"), Answer(200, b"ok", ""), False),
        (OK.replace(b"1.1", b"1.0"), Answer(200, b"ok", ""), False),
        (OK + OK, Answer(200, b"ok", ""), False),  # an answer to a request that was not made yet
        (OK + b"garbage", Answer(200, b"ok", ""), False),
        (OK.replace(b"OK", b"OK\r\nconnection: close") + b"garbage", Answer(200, b"ok", ""), False),
        (CHUNKED + b"nonsense", Answer(200, b"", "", is_whole=False), False),
    ],
)
def test_answers(data: bytes, answer: Answer, may_go_on: bool) -> None:
    reader = AnswerReader()
    assert feed(reader, data) == answer
    assert reader.may_go_on is may_go_on


@given(st.lists(st.integers(1, 30), max_size=20))
def test_it_does_not_matter_how_it_is_cut(cuts: list[int]) -> None:
    data, pieces = CHUNKED + b"2\r\nok\r\n0\r\n\r\n", []
    for cut in cuts:
        pieces.append(data[:cut])
        data = data[cut:]
    reader = AnswerReader()
    assert feed(reader, *pieces, data) == Answer(200, b"ok", "")
    assert reader.may_go_on


@given(st.binary(max_size=200), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", CHUNKED, OK]))
def test_no_bytes_do_more_than_fail_the_attempt(data: bytes, start: bytes) -> None:
    with suppress(AttemptFailed):
        AnswerReader().feed(start + data)


def test_one_reader_reads_one_answer_after_the_other() -> None:
    reader = AnswerReader()
    limited = b"HTTP/1.1 429 X\r\nretry-after: 7\r\ncontent-length: 4\r\n\r\nslow"
    assert reader.feed(limited) == Answer(429, b"slow", "7")
    reader.begin()
    assert reader.feed(OK) == Answer(200, b"ok", "")


@pytest.mark.parametrize("status", ["7", "007", "99", "1000", "-1", "x"])
def test_what_is_no_status(status: str) -> None:
    with pytest.raises(AttemptFailed, match="not an HTTP answer"):
        AnswerReader().feed(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n".encode())


def test_another_protocol_is_no_answer() -> None:
    upgrade = b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    with pytest.raises(AttemptFailed, match="another protocol"):
        AnswerReader().feed(upgrade)


@pytest.mark.parametrize(
    "piece", [b"x: " + b"x" * 1000 + b"\r\n", b"x" * 1000, b"\r\nHTTP/1.1 100 Go\r\nx: " + b"x" * 1000 + b"\r\n"]
)
def test_a_head_without_end_is_refused(piece: bytes) -> None:
    reader = AnswerReader()
    reader.feed(b"HTTP/1.1 103 Hint\r\n" if b"100" in piece else b"HTTP/1.1 200 OK\r\nx-a: ")
    with pytest.raises(AttemptFailed, match="message head is too large"):
        feed(reader, *[piece] * (HEAD_LIMIT // len(piece) + 1))


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1000),
        (CHUNKED, b"3e8\r\n" + b"x" * 1000 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n", b"x" * 1000),
    ],
)
def test_a_body_without_end_is_read_no_further_than_its_bound(start: bytes, piece: bytes) -> None:
    reader = AnswerReader()
    answer = feed(reader, start, *[piece] * (READ_LIMIT // 1000 + 1))
    assert answer == Answer(200, b"x" * KEPT, "")
    assert not reader.may_go_on


@pytest.mark.parametrize("start", [b"2;x=", b"0\r\nx-trailer: "])
def test_nor_are_its_framing_and_trailers(start: bytes) -> None:
    reader = AnswerReader()
    assert feed(reader, CHUNKED + start, *[b"x" * 1000] * (LIMIT // 1000 + 1)) == Answer(200, b"", "")
    assert not reader.may_go_on


@pytest.mark.parametrize(
    ("data", "cleanly", "answer"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nall of it", True, Answer(200, b"all of it", "")),
        (b"HTTP/1.1 200 OK\r\n\r\nsome of it", False, Answer(200, b"some of it", "", is_whole=False)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", True, Answer(200, b"half", "", is_whole=False)),
        (CHUNKED + b"4\r\nhalf\r\n", True, Answer(200, b"half", "", is_whole=False)),
        (b"HTTP/1.1 200 OK\r\ncontent-len", True, None),
        (b"HTTP/1.1 100 Go\r\n\r\n", True, None),
        (b"", True, None),
    ],
)
def test_the_end_of_the_connection(data: bytes, cleanly: bool, answer: Answer | None) -> None:
    reader = AnswerReader()
    assert feed(reader, data) is None
    assert reader.close(cleanly=cleanly) == answer
