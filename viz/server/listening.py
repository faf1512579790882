"""The web server: waitress with limits that let thirty browsers in and no single one keep the others out.

A browser keeps six connections open, so a class of thirty holds 180 that say nothing most of the time. Here idle
connections cost a file descriptor each and give way, longest idle first, when their address or the whole server
comes near its limit; what is sent too slowly, or never read, is dropped; and a stop lets the answers under way end.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import logging
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher
from waitress.utilities import Error

from backends import settings

log = logging.getLogger("vitrine.web")

MOST_BODY = 48 * 2**20
"""Bytes of a request's body; a longer one is refused when its length is announced, before any of it is read."""
MOST_HEADER = 64 * 2**10
"""Bytes of a request's first line and headers; links carry short texts in their address."""
SLOWEST = 8 * 1024
"""Bytes a second that a body must arrive with once the first `Limits.request` seconds are over."""
OTHER_FILES = 512
"""File descriptors kept free for models, stored results, the worker and uploads that wait on disk."""
MOST_WAITING = 256 * 2**20
"""Bytes of an answer that may wait to be taken (on disk) before the thread that makes it waits, too."""
LINGER = 2.0
"""Seconds for which the rest of a refused body is thrown away, so that its sender can read why."""


@dataclass(frozen=True)
class Limits:
    """How many connections are held, and for how long: counts, and seconds.

    `address` counts the connections of one address (of IPv6, one /64 network); `idle` seconds may pass between two
    requests, and without any byte of an answer being taken; `request` seconds until a request's headers are there;
    `grace` seconds for answers under way at the end. `proxy` is the address of a proxy whose word on its clients'
    addresses is taken, and to which `address` does not apply.
    """

    connections: int = 2000
    address: int = 300
    idle: float = 60.0
    request: float = 20.0
    threads: int = 32
    grace: float = 10.0
    proxy: str = ""

    @classmethod
    def of_settings(cls) -> Limits:
        """Return the limits that the environment sets. Raises `Refused` on a number that is none."""
        return cls(
            connections=max(16, int(settings.number("VITRINE_CONNECTIONS"))),
            address=max(6, int(settings.number("VITRINE_CONNECTIONS_EACH"))),
            idle=max(1.0, settings.number("VITRINE_IDLE")),
            threads=max(4, int(settings.number("VITRINE_THREADS"))),
            grace=settings.number("VITRINE_GRACE"),
            proxy=settings.value("VITRINE_PROXY"),
        )


@lru_cache(4096)
def network_of(address: str) -> str:
    """Return what counts as one address: an IPv4 address itself, of an IPv6 address its /64 network."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


class Sentence(Error):
    """What waitress answers by itself, without the app: a status and one sentence."""

    def __init__(self, code: int, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code, self.reason = code, reason

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        """Return status line, headers and body."""
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff")]
        return f"{self.code} {self.reason}", headers, f"{self.body}\n".encode()


class Request(HTTPRequestParser):
    """One request as it comes in; what is refused here is refused with a sentence of ours, and never as a 5xx."""

    def received(self, data: bytes) -> int:
        """Take some bytes, and return how many belong to this request."""
        consumed = super().received(data)
        body = self.body_rcv
        if self.chunked and (len(body.control_line) > 1024 or len(body.trailer) > 2**16):
            self.error, self.completed = (
                Error(""),
                True,
            )  # waitress copies what it has at each read: 48 MB take a minute
        if self.error is not None and not isinstance(self.error, Sentence):
            self.expect_continue = False  # waitress would ask for the body that it has just refused
            self.error = _in_words(self.error)
        return consumed


def _in_words(error: Error) -> Sentence:
    if error.code == 413:
        return Sentence(413, "Content Too Large", f"that is more than {MOST_BODY >> 20} MB; send less at a time")
    if error.code == 431:
        most = f"the address and headers of this request are longer than {MOST_HEADER >> 10} KB"
        return Sentence(431, "Request Header Fields Too Large", f"{most}; send long texts as an input, not in a link")
    return Sentence(400, "Bad Request", "this is not a request that a browser sends")


class Channel(HTTPChannel):
    """One connection, which knows since when it waits for the rest of a request."""

    parser_class = Request
    will_close: bool = False
    close_when_flushed: bool = False
    began = 0.0
    """When (monotonic) the request that is coming in began; 0 while none is."""
    lingers = 0.0
    """Until when (monotonic) what still comes in is thrown away; 0 before that."""
    cut_off = False
    """Whether a request was refused before all of it had come."""

    def __init__(self, server: Listener, sock: socket.socket, addr: Any, adj: Adjustments, map: dict[int, Any]) -> None:
        super().__init__(server, sock, addr, adj, map)
        self.network = network_of(str(addr[0]))
        server.connections.add(self)

    @property
    def idle(self) -> bool:
        """Whether nothing is asked, computed or sent on this connection."""
        return not (self.requests or self.request or self.total_outbufs_len or self.will_close)

    def received(self, data: bytes) -> bool:
        """Take some bytes, and note when a request began, and whether one was refused before its end."""
        before = self.request
        taken = super().received(data)
        self.cut_off = self.cut_off or any(r.error is not None for r in list(self.requests))
        if self.request is None:
            self.began = 0.0
        elif self.request is not before:
            self.began = time.monotonic()
        return bool(taken)

    def overdue(self, limits: Limits) -> str:
        """Return why this connection is to be dropped, or nothing."""
        silent = time.time() - self.last_activity
        if self.total_outbufs_len and silent > limits.idle:
            return "its answer is not taken"
        if self.requests:
            self.began = time.monotonic() if self.began else 0.0  # it waits for us, not we for it
            return ""
        if self.request is not None and self.began:
            waited = time.monotonic() - self.began
            came = self.request.body_bytes_received
            if waited > limits.request + came / SLOWEST or silent > limits.request:
                return "its request came too slowly"
        elif silent > limits.idle:
            return "it was idle"
        return ""

    def handle_expt(self) -> None:
        """Drop what sends urgent bytes: no browser does, and the loop would turn for ever on one that is not read."""
        self.handle_close()

    def readable(self) -> bool:
        """Whether bytes are wanted: those of a request, or of a refused body that is thrown away."""
        return bool(self.lingers) or bool(super().readable())

    def handle_read(self) -> None:
        """Read some bytes."""
        if not self.lingers:
            super().handle_read()
        elif not self.recv(2**16) or time.monotonic() > self.lingers:
            self.handle_close()

    def handle_write(self) -> None:
        """Send what is ready; after the refusal of a body, end our side only, and let the other end its own."""
        if self.lingers:
            if self.will_close:
                self.handle_close()
            return
        if self.close_when_flushed and not self.total_outbufs_len and not self.will_close and self.cut_off:
            self.close_when_flushed = False
            self.lingers = time.monotonic() + LINGER
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                self.handle_close()
            return
        super().handle_write()

    def writable(self) -> bool:
        """Whether there is something to send, or to end."""
        if self.lingers:
            self.will_close = self.will_close or time.monotonic() > self.lingers
            return bool(self.will_close)
        return bool(super().writable())

    def del_channel(self, map: dict[int, Any] | None = None) -> None:
        """Forget this connection."""
        super().del_channel(map)
        self.server.connections.discard(self)


class Connections:
    """All connections of a server, by address. Only the server's own loop changes them."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.refused = 0
        self.dropped = 0
        self._by_network: dict[str, set[Channel]] = {}

    def __len__(self) -> int:
        return sum(map(len, list(self._by_network.values())))

    def __iter__(self) -> Iterator[Channel]:
        for some in list(self._by_network.values()):
            yield from list(some)

    def add(self, channel: Channel) -> None:
        """Count a connection."""
        self._by_network.setdefault(channel.network, set()).add(channel)

    def discard(self, channel: Channel) -> None:
        """Count a connection no more."""
        there = self._by_network.get(channel.network)
        if there is not None:
            there.discard(channel)
            if not there:
                del self._by_network[channel.network]

    def refusal(self, address: str) -> str:
        """Make room for one more connection of `address`; returns the sentence for it where there is none."""
        network = network_of(address)
        own = self._open(self._by_network.get(network, set()))
        if len(own) >= self.limits.address and address != self.limits.proxy and not self.give_way(own, 1):
            return f"this address holds {self.limits.address} connections, all of them at work; try again in a moment"
        everybody = self._open(self)
        most = self.limits.connections
        near = len(everybody) >= most - most // 20
        if near and not self.give_way(everybody, most // 40 + 1) and len(everybody) >= most:
            return f"the server holds {most:,} connections, all of them at work; try again in a moment"
        return ""

    def _open(self, channels: Iterable[Channel]) -> list[Channel]:
        return [channel for channel in list(channels) if not channel.will_close]

    def give_way(self, channels: list[Channel], count: int) -> bool:
        """End the `count` connections that have been idle for longest; returns whether there was one."""
        idle = sorted((c for c in channels if c.idle), key=lambda channel: channel.last_activity)[:count]
        for (
            channel
        ) in idle:  # the loop closes them on its next turn: a number closed now could be given out anew at once
            channel.will_close = True
        self.dropped += len(idle)
        return bool(idle)

    def look_after(self) -> None:
        """Drop connections that were idle, slow or unread for too long; call it between two turns of the loop.

        They are closed here and now: one whose answer is not taken never becomes ready for being closed.
        """
        for channel in self:
            if why := channel.overdue(self.limits):
                log.debug("a connection of %s is closed: %s", channel.network, why)
                channel.handle_close()
                self.dropped += 1


class Listener(TcpWSGIServer):
    """One listening socket; what it accepts is counted, and refused with a sentence where there is no room."""

    channel_class = Channel

    def __init__(self, connections: Connections, *args: Any, **kw: Any) -> None:
        self.connections = connections
        self._paused = 0.0
        super().__init__(*args, **kw)

    def readable(self) -> bool:
        """Whether connections are accepted now."""
        return bool(self.accepting) and time.monotonic() >= self._paused

    def handle_accept(self) -> None:
        """Accept what waits, a handful at a time."""
        for _ in range(32):
            try:
                conn, addr = self.socket.accept()
                conn.setblocking(False)
                self.set_socket_options(conn)
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self._paused = time.monotonic() + 0.5
                    self.connections.give_way(list(self.connections), 64)
                    log.warning("no connection can be accepted (%s); idle ones give way", error.strerror)
                return
            why = self.connections.refusal(str(addr[0]))
            if why:
                self.connections.refused += 1
                _turn_away(conn, why)
            else:
                self.channel_class(self, conn, addr, self.adj, map=self._map)


def _turn_away(conn: socket.socket, why: str) -> None:
    """Answer with a sentence at once, whatever is asked, and close."""
    body = f"{why}\n".encode()
    head = f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}"
    with contextlib.suppress(OSError):
        conn.send(f"{head}\r\nRetry-After: 2\r\nConnection: close\r\n\r\n".encode() + body)
    conn.close()


class Server:
    """A web server over a WSGI app: `run` serves until `stop`, which may be called from a signal handler.

    Binding happens when it is made; raises `OSError` where the address is taken.
    """

    def __init__(self, application: Callable[..., Any], host: str, port: int, limits: Limits) -> None:
        self.limits = _within_files(limits)
        self.connections = Connections(self.limits)
        self._map: dict[int, Any] = {}
        self._deadline: float | None = None
        trusted = {"x-forwarded-for", "x-forwarded-proto"}
        proxy = {"trusted_proxy": limits.proxy, "trusted_proxy_count": 1, "trusted_proxy_headers": " ".join(trusted)}
        adjusted = Adjustments(
            host=host,
            port=port,
            ident=None,
            asyncore_use_poll=True,
            max_request_body_size=MOST_BODY + 1,
            max_request_header_size=MOST_HEADER,
            outbuf_high_watermark=MOST_WAITING,
            log_socket_errors=False,
            **(proxy if limits.proxy else {}),
        )
        self.dispatcher = ThreadedTaskDispatcher()
        self.listeners: list[Listener] = []
        try:
            for sockinfo in adjusted.listen:
                rest = {"map": self._map, "dispatcher": self.dispatcher, "adj": adjusted, "sockinfo": sockinfo}
                self.listeners.append(Listener(self.connections, application, **rest))
        except OSError:
            self.close()
            raise
        self.dispatcher.set_thread_count(self.limits.threads)
        self.port = int(self.listeners[0].effective_port)

    def run(self) -> None:
        """Serve until `stop`, then let the answers under way end, for `Limits.grace` seconds at most."""
        every = min(5.0, self.limits.idle / 4, self.limits.request / 4)
        look = time.monotonic() + every
        try:
            while self._deadline is None:
                wasyncore.poll2(min(1.0, every), self._map)
                if time.monotonic() >= look:
                    look = time.monotonic() + every
                    self.connections.look_after()
            self._finish()
        finally:
            self.close()

    def stop(self, grace: float | None = None) -> None:
        """End `run` soon; a second call ends it at once."""
        seconds = self.limits.grace if grace is None else grace
        self._deadline = time.monotonic() + (0.0 if self._deadline is not None else seconds)
        for listener in self.listeners[:1]:
            listener.pull_trigger()

    def _finish(self) -> None:
        """Take no more connections, and serve those whose answer is under way."""
        for listener in self.listeners:
            listener.accepting = False
            listener.del_channel()
            listener.socket.close()
        wasyncore.poll2(0.0, self._map)  # what has come already is answered
        while time.monotonic() < (self._deadline or 0.0):
            busy = 0
            for channel in self.connections:
                if channel.idle or (channel.request is not None and not channel.requests):
                    channel.will_close = True
                else:
                    busy += 1
            if not busy:
                break
            wasyncore.poll2(0.05, self._map)
        wasyncore.poll2(0.0, self._map)

    def close(self) -> None:
        """Close all sockets and end the threads that have nothing to do."""
        self.dispatcher.set_thread_count(0)
        for channel in list(self._map.values()):
            if isinstance(channel, Channel):
                channel.handle_close()
        wasyncore.close_all(self._map, ignore_all=True)

    def figures(self) -> dict[str, int]:
        """Return how many connections are held, were refused and dropped, and how many requests wait for a thread."""
        held, waiting = len(self.connections), len(self.dispatcher.queue)
        return {
            "connections": held,
            "connections_refused_total": self.connections.refused,
            "connections_dropped_total": self.connections.dropped,
            "requests_waiting": waiting,
            "threads": self.limits.threads,
        }


def _within_files(limits: Limits) -> Limits:
    """Return `limits` with as many connections as this process may hold files for, having asked for more where it can.

    Each connection needs one file, and a large body or answer one more.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return limits
    wanted, unlimited = 2 * limits.connections + OTHER_FILES, resource.RLIM_INFINITY
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != unlimited and soft < wanted:
        most = wanted if hard == unlimited else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    if soft == unlimited or soft >= wanted:
        return limits
    fits = min(limits.connections, max(16, (soft - OTHER_FILES) // 2 if soft > 2 * OTHER_FILES else soft // 4))
    log.warning(
        "this process may open %s files, so at most %s connections are held instead of %s; "
        "raise it with `ulimit -n %s`, or LimitNOFILE= in a systemd unit",
        soft, fits, limits.connections, wanted,
    )  # fmt: skip
    return replace(limits, connections=fits)
