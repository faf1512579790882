"""Malformed requests by the thousand: none fails in Vitrine itself, none shows its inside, none takes long."""

from __future__ import annotations

import collections
import json
import logging
import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import app
from backends.jobs.engine import Engine
from backends.store import Store
from tests.viz.fakes import bundle
from tests.viz.server import malformed
from viz.server.access import LOOPBACK, Access
from viz.server.listening import Limits, Server

INSIDE = "Vitrine failed on this"


class Attacked:
    """The app over a full store, with an engine that takes jobs and computes none."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        bundle(folder / "bundled", patch)
        patch.setattr(Engine, "_call", lambda *_: None)
        store = Store(folder / "store")
        self.private = str(folder)
        self.kept = malformed.fill(store)
        self.engine = Engine(store)
        self.server = app.create_app(self.engine, Access(LOOPBACK)).server
        self.client = self.server.test_client()
        self.rules = sorted(rule.rule for rule in self.server.url_map.iter_rules())
        self.callbacks = json.loads(self.client.get("/_dash-dependencies").data)

    def asks(self, seed: int, count: int) -> list[malformed.Ask]:
        """About `count` requests: one in ten a page, three a file, six a callback, and some bodies and methods."""
        rng = random.Random(seed)
        made = [
            *malformed.pages(rng, count // 10), *malformed.files(rng, count * 3 // 10, self.kept, self.rules),
            *malformed.callbacks(rng, count * 6 // 10, self.kept, self.callbacks), *malformed.bodies(),
        ]  # fmt: skip
        made += list(malformed.methods(self.rules))[:: 1 if count > 1000 else 10]
        rng.shuffle(made)
        return made

    def attack(self, asks: list[malformed.Ask]) -> dict[str, Any]:
        """Send the requests; returns how they were answered, and what went wrong."""
        status: collections.Counter[int] = collections.Counter()
        wrong, longest, inside = [], 0.0, 0
        for ask in asks:
            began = time.process_time()
            with self.client.open(
                ask.path, method=ask.method, data=ask.body, content_type=ask.mimetype if ask.body is not None else None
            ) as answer:
                code, text = answer.status_code, answer.get_data()[:100_000].decode("utf-8", "replace")
            longest = max(longest, time.process_time() - began)
            status[code] += 1
            inside += INSIDE in text and code == 200
            shown = text[:2000] if "/html" in ask.path else text  # plotly's own source comes after that
            found = malformed.leaks(shown, self.private)
            if found or (code >= 500 and ask.path != "/ready"):
                wrong.append((code, ask.kind, ask.method, ask.path[:300], (ask.body or b"")[:1500], found, text[:300]))
        return {"status": dict(status), "wrong": wrong, "longest": longest, "inside": inside, "count": len(asks)}


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    with pytest.MonkeyPatch.context() as patch:
        made = Attacked(tmp_path_factory.mktemp("attacked"), patch)
        yield made
        made.engine.close()


def test_malformed_requests_get_a_sentence(attacked: Attacked) -> None:
    found = attacked.attack(attacked.asks(7, 400))
    assert not found["wrong"]
    assert found["count"] > 400
    assert found["status"][200] > 100, "many of them reach a callback or a file"
    assert found["status"][404] > 20
    assert found["longest"] < 5


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("seed", [1, 2])
def test_ten_thousand_malformed_requests_get_a_sentence(attacked: Attacked, seed: int) -> None:
    logging.getLogger("vitrine").setLevel(logging.CRITICAL)
    try:
        found = attacked.attack(attacked.asks(seed, 10_000))
    finally:
        logging.getLogger("vitrine").setLevel(logging.NOTSET)
    print(json.dumps({**found, "wrong": len(found["wrong"])}))
    assert not found["wrong"], found["wrong"][:5]
    assert found["longest"] < 10


def test_bytes_that_are_no_request_get_a_sentence(attacked: Attacked) -> None:
    server = Server(attacked.server, "127.0.0.1", 0, Limits(threads=4, request=2.0, idle=5.0))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        for ask in malformed.raw():
            answer = _answer(server.port, ask)
            assert answer[:5] == b"HTTP/", ask[:100]
            assert int(answer.split()[1]) < 500, (ask[:100], answer[:300])
            assert not malformed.leaks(answer.decode("latin-1"), attacked.private)
        assert b" 200 " in _answer(server.port, b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    finally:
        server.stop(0.0)
        thread.join(10)


def _answer(port: int, ask: bytes) -> bytes:
    data = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(ask)
        connection.shutdown(socket.SHUT_WR)
        while chunk := connection.recv(2**16):
            data += chunk
    return data
