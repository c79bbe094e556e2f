"""The bad network itself, over real sockets."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from random import Random

import pytest

from tests.chaos.proxy import Proxy
from tests.receiver import Receiver

PATIENCE = 5.0
REQUEST = b"POST /hook HTTP/1.1\r\nhost: x\r\ncontent-length: 4000\r\n\r\n" + b"x" * 4000


@pytest.fixture
def proxy(receiver: Receiver) -> Iterator[Proxy]:
    with Proxy(receiver.port, Random(1)) as standing:
        yield standing


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), PATIENCE)


def exchange(plug: socket.socket) -> bytes:
    plug.sendall(REQUEST)
    return plug.recv(1_000)


def test_it_hands_on_what_comes(proxy: Proxy) -> None:
    with closing(connected(proxy)) as plug:
        assert exchange(plug).startswith(b"HTTP/1.1 200")
        assert exchange(plug).startswith(b"HTTP/1.1 200")
    assert proxy.connections == 1


def test_late_and_in_pieces_nothing_is_missing(proxy: Proxy, receiver: Receiver) -> None:
    proxy.latency, proxy.pieces = 0.1, 100
    with closing(connected(proxy)) as plug:
        began = time.monotonic()
        assert exchange(plug).startswith(b"HTTP/1.1 200")
        assert time.monotonic() - began >= 0.1  # half of it at least, each way
    assert receiver.requests[0].body == b"x" * 4000


def test_a_cut_breaks_what_is_open_and_the_next_one_gets_through(proxy: Proxy) -> None:
    with closing(connected(proxy)) as plug:
        exchange(plug)
        proxy.cut()
        assert broken(plug)
    with closing(connected(proxy)) as plug:
        assert exchange(plug).startswith(b"HTTP/1.1 200")


def test_a_dead_line_answers_nobody(proxy: Proxy, receiver: Receiver) -> None:
    proxy.down = True
    with closing(connected(proxy)) as plug:
        assert broken(plug)
    assert receiver.accepted == 0


def test_the_other_end_may_move(proxy: Proxy, receiver: Receiver) -> None:
    with Receiver() as other:
        proxy.target = other.port
        with closing(connected(proxy)) as plug:
            exchange(plug)
        assert (len(other.requests), len(receiver.requests)) == (1, 0)


def broken(plug: socket.socket) -> bool:
    try:
        return plug.recv(1) == b""
    except ConnectionError:
        return True
