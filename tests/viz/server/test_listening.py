"""Many connections, slow ones, idle ones, and the end: real sockets, on this machine's loopback only."""

from __future__ import annotations

import re
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest

from viz.server import listening
from viz.server.listening import Connections, Limits, Server

ASK = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def answering(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    """Answers with the path, the client's address and how much body came; `/slow` takes half a second."""
    if environ["PATH_INFO"] == "/slow":
        time.sleep(0.5)
    if environ["PATH_INFO"] == "/broken":
        raise ZeroDivisionError("a secret detail")
    size = 0
    while chunk := environ["wsgi.input"].read(2**20):
        size += len(chunk)
    body = f"{environ['PATH_INFO']} {environ['REMOTE_ADDR']} {environ['wsgi.url_scheme']} {size}".encode()
    if environ["PATH_INFO"] == "/large":
        body = b"x" * 32 * 2**20
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


@contextmanager
def serving(**limits: Any) -> Iterator[Server]:
    """A server in a thread, ended and closed afterwards."""
    server = Server(answering, "127.0.0.1", 0, Limits(**{"threads": 8, "grace": 3.0, **limits}))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.stop(0.0)
        thread.join(10)
        assert not thread.is_alive()


@contextmanager
def opened(server: Server, count: int, of: str = "127.0.0.1") -> Iterator[list[socket.socket]]:
    """`count` connections that come from the address `of`."""
    with ExitStack() as stack:
        made = []
        for _ in range(count):
            made.append(stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 10, (of, 0))))
        yield made


def said(connection: socket.socket, ask: bytes = ASK, seconds: float = 10) -> str:
    """What comes back: one answer, or what there is when the server closes."""
    connection.settimeout(seconds)
    connection.sendall(ask)
    return heard(connection)


def heard(connection: socket.socket) -> str:
    """One whole answer, or what comes until the server closes."""
    data, most = bytearray(), 0
    while chunk := connection.recv(2**20):
        data += chunk
        end = data.find(b"\r\n\r\n", 0, 5000)
        if not most and end > 0 and (length := re.search(rb"(?i)content-length: (\d+)", data[:end])):
            most = end + 4 + int(length[1])
        if most and len(data) >= most:
            break
    return data.decode("latin-1")


def closed(connection: socket.socket, seconds: float) -> bool:
    """Whether the server ends the connection within some seconds, saying nothing."""
    connection.settimeout(seconds)
    try:
        return connection.recv(100) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def test_thirty_browsers_with_six_connections_each_are_answered() -> None:
    with serving() as server, opened(server, 180) as browsers:
        for _ in range(2):  # each is asked again on the connection that it kept
            assert all(said(one).startswith("HTTP/1.1 200 OK") for one in browsers)
        assert server.figures()["connections"] == 180
        assert server.figures()["connections_refused_total"] == 0


def test_idle_connections_of_one_address_lock_nobody_out() -> None:
    with serving() as server, opened(server, 340) as many, opened(server, 1, "127.0.0.2") as others:
        assert "/health 127.0.0.2" in said(others[0])
        time.sleep(0.2)
        held = server.figures()
        assert held["connections"] <= 302, "one address has its share only"
        assert held["connections_dropped_total"] >= 40
        assert said(many[-1]).startswith("HTTP/1.1 200 OK"), "its newest connections are served"
        assert closed(many[0], 5), "its oldest gave way"


def test_connections_at_work_do_not_give_way() -> None:
    with serving(address=6) as server, opened(server, 6) as busy:
        for one in busy:
            one.settimeout(5)
            one.sendall(ASK.replace(b"/health", b"/slow"))
        time.sleep(0.2)
        with opened(server, 1) as (late,):
            late.settimeout(5)
            refused = heard(late)
        assert " 503 " in refused
        assert "this address holds 6 connections, all of them at work" in refused
        assert all("/slow" in heard(one) for one in busy)
        assert server.figures()["connections_refused_total"] == 1


def test_near_the_limit_the_longest_idle_give_way() -> None:
    with serving(connections=40, address=100) as server, opened(server, 60) as many:
        assert said(many[-1]).startswith("HTTP/1.1 200 OK")
        time.sleep(0.2)
        assert server.figures()["connections"] <= 41
        assert server.figures()["connections_refused_total"] == 0


def test_an_idle_connection_is_closed_in_time() -> None:
    with serving(idle=0.4) as server, opened(server, 2) as both:
        assert said(both[0]).startswith("HTTP/1.1 200 OK")
        assert closed(both[0], 5)
        assert closed(both[1], 5), "one that never said anything, too"


def test_a_request_that_comes_byte_by_byte_is_dropped() -> None:
    with serving(request=0.5, idle=30) as server, opened(server, 1) as (slow,):
        began, sent = time.monotonic(), 0
        while server.figures()["connections"] or not sent:
            assert time.monotonic() - began < 5
            with suppress(OSError):
                slow.sendall(b"a" if sent else b"GET /")
            sent += 1
            time.sleep(0.05)
        assert sent > 5, "it was heard for a while"


def test_a_body_that_trickles_is_dropped_and_one_that_flows_is_not() -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    with serving(request=0.5) as server, opened(server, 2) as (slow, good):
        slow.sendall(head % 100_000 + b"x" * 100)
        good.sendall(head % 400_000)
        for _ in range(10):
            good.sendall(b"x" * 40_000)
            time.sleep(0.15)
        assert heard(good).endswith("400000")
        assert closed(slow, 5)


def test_an_answer_that_nobody_takes_is_dropped() -> None:
    with serving(idle=0.5) as server, opened(server, 1) as (lazy,):
        lazy.sendall(ASK.replace(b"/health", b"/large"))
        time.sleep(0.3)
        assert server.figures()["connections"] == 1
        until = time.monotonic() + 10
        while server.figures()["connections"] and time.monotonic() < until:
            time.sleep(0.05)
        assert server.figures()["connections"] == 0


def test_a_large_answer_arrives_whole() -> None:
    with serving() as server, opened(server, 1) as (one,):
        assert len(said(one, ASK.replace(b"/health", b"/large"))) > 32 * 2**20


def test_urgent_bytes_do_not_make_the_loop_turn() -> None:
    with serving() as server, opened(server, 2) as (odd, good):
        odd.send(b"!", socket.MSG_OOB)
        assert closed(odd, 5)
        assert said(good).startswith("HTTP/1.1 200 OK")


@pytest.mark.parametrize("more", [b"", b"Expect: 100-continue\r\n"])
def test_a_gigabyte_is_refused_before_it_is_sent(more: bytes) -> None:
    with serving() as server, opened(server, 1) as (one,):
        answer = said(one, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n" + more + b"\r\n")
        assert answer.startswith("HTTP/1.1 413 Content Too Large")
        assert answer.endswith("that is more than 48 MB; send less at a time\n")
        assert "100 Continue" not in answer


def test_a_sender_that_does_not_wait_reads_why_its_body_is_refused() -> None:
    with serving() as server, opened(server, 1) as (one,):
        one.settimeout(10)
        one.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
        for _ in range(64):
            one.sendall(b"x" * 2**14)  # 1 MB, while the answer is on its way
        assert "that is more than 48 MB" in heard(one)


def test_a_chunked_body_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "MOST_BODY", 1000)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serving() as server, opened(server, 3) as (large, endless, good):
        assert " 413 " in said(large, head + (b"258\r\n" + b"x" * 600 + b"\r\n") * 3)
        assert " 400 " in said(endless, head + b"1" * 3000)
        assert said(good, head + b"5\r\nabcde\r\n0\r\n\r\n").endswith(" 5")


@pytest.mark.parametrize(
    ("ask", "status"),
    [
        (b"\x00\xff garbage\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /" + b"a" * 300_000 + b" HTTP/1.1\r\n\r\n", 431),
    ],
)
def test_what_is_no_request_is_a_sentence(ask: bytes, status: int) -> None:
    with serving() as server, opened(server, 1) as (one,):
        answer = said(one, ask)
        assert answer.startswith(f"HTTP/1.1 {status} ") or answer.startswith(f"HTTP/1.0 {status} ")
        assert "waitress" not in answer
        assert "Bare" not in answer


def test_a_failure_outside_the_app_shows_no_trace(caplog: pytest.LogCaptureFixture) -> None:
    with serving() as server, opened(server, 1) as (one,):
        answer = said(one, ASK.replace(b"/health", b"/broken"))
        assert " 500 " in answer
        assert "secret" not in answer


def test_a_proxy_tells_whom_it_speaks_for_and_nobody_else_does() -> None:
    ask = ASK.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: 10.1.2.3\r\nX-Forwarded-Proto: https\r\n\r\n")
    with (
        serving(proxy="127.0.0.1", address=6) as server,
        opened(server, 20) as trusted,
        opened(server, 1, "127.0.0.2") as (other,),
    ):
        assert all("/health 10.1.2.3 https" in said(one, ask) for one in trusted)
        assert "/health 127.0.0.2 http " in said(other, ask)


def test_the_end_waits_for_answers_under_way_and_takes_no_more() -> None:
    server = Server(answering, "127.0.0.1", 0, Limits(threads=4, grace=5))
    thread = threading.Thread(target=server.run)
    thread.start()
    with opened(server, 2) as (busy, idle):
        busy.sendall(ASK.replace(b"/health", b"/slow"))
        time.sleep(0.1)
        began = time.monotonic()
        server.stop()
        assert closed(idle, 2)
        assert "/slow" in heard(busy)
        thread.join(5)
        assert not thread.is_alive()
        assert time.monotonic() - began < 3, "it does not wait for the whole grace"
        with pytest.raises(OSError):  # noqa: PT011
            socket.create_connection(("127.0.0.1", server.port), 1)


def test_the_end_does_not_wait_for_ever() -> None:
    server = Server(answering, "127.0.0.1", 0, Limits(threads=4, grace=0.1))
    thread = threading.Thread(target=server.run)
    thread.start()
    with opened(server, 1) as (busy,):
        busy.sendall(ASK.replace(b"/health", b"/slow"))
        time.sleep(0.1)
        began = time.monotonic()
        server.stop()
        thread.join(5)
        assert time.monotonic() - began < 0.45
        assert closed(busy, 2)


def test_a_port_that_is_taken_is_an_error_that_leaves_nothing_open() -> None:
    with serving() as server, pytest.raises(OSError, match="in use"):
        Server(answering, "127.0.0.1", server.port, Limits())


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.0.1", "10.0.0.1"), ("::ffff:10.0.0.1", "10.0.0.1"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"), ("nonsense", "nonsense"),
    ],
)  # fmt: skip
def test_an_ipv6_network_counts_as_one_address(address: str, network: str) -> None:
    assert listening.network_of(address) == network


def test_more_files_are_asked_for_and_a_lack_of_them_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 20_000))
    monkeypatch.setattr(resource, "setrlimit", lambda _, both: asked.append(both))
    assert listening._within_files(Limits()).connections == 2000
    assert asked == [(4512, 20_000)]
    assert not caplog.text
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 2048))
    assert listening._within_files(Limits()).connections == 768
    assert "may open 2048 files, so at most 768 connections are held instead of 2000" in caplog.text
    assert "LimitNOFILE=" in caplog.text


def test_the_limits_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Limits.of_settings() == Limits()
    for name, said_ in (("CONNECTIONS", "500"), ("CONNECTIONS_EACH", "40"), ("IDLE", "9"), ("THREADS", "8")):
        monkeypatch.setenv(f"VITRINE_{name}", said_)
    found = Limits.of_settings()
    assert (found.connections, found.address, found.idle, found.threads) == (500, 40, 9.0, 8)


def test_there_is_room_for_the_first() -> None:
    assert Connections(Limits()).refusal("10.0.0.1") == ""
