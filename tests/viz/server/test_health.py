"""Whether the server can work, and its figures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import app
from backends.jobs.engine import CLOSED, Engine
from backends.store import Store
from tests.viz.fakes import FakeEngine
from viz.server import health


@pytest.fixture
def client(engine: FakeEngine, shipped: Any) -> FlaskClient:
    return app.create_app(engine).server.test_client()  # type: ignore[arg-type]


def test_a_server_with_a_worker_and_a_store_is_ready(client: FlaskClient, engine: FakeEngine) -> None:
    answer = client.get("/ready")
    assert (answer.status_code, answer.json) == (200, {"ready": True, "store": "ok", "worker": "ok"})
    assert answer.headers["Cache-Control"] == "no-store"
    assert not list((engine.store.root / "tmp").iterdir())


def test_a_server_without_a_worker_is_not_ready(client: FlaskClient, engine: FakeEngine) -> None:
    engine.refusal = "no worker is there yet"
    answer = client.get("/ready")
    assert (answer.status_code, answer.json) == (
        503, {"ready": False, "store": "ok", "worker": "no worker is there yet"}
    )  # fmt: skip
    assert client.get("/health").status_code == 200, "it lives all the same"


def test_a_server_whose_store_cannot_be_written_is_not_ready(client: FlaskClient, engine: FakeEngine) -> None:
    engine.store.root.parent.mkdir(exist_ok=True)
    engine.store.root.write_text("a file where the folder should be")
    answer = client.get("/ready")
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["store"].startswith("the store cannot be written (")
    assert str(engine.store.root) not in answer.text


LINE = re.compile(r'vitrine_[a-z_]+(\{state="[a-z]+"\})? [0-9.]+')


def test_metrics_are_in_prometheus_format(client: FlaskClient, engine: FakeEngine) -> None:
    client.application.config[health.FIGURES] = lambda: {"connections": 7, "connections_refused_total": 1}
    engine.store.put_document("0" * 64, {"a": 1})
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    said = answer.text.splitlines()
    assert all(line.startswith(("# HELP vitrine_", "# TYPE vitrine_")) or LINE.fullmatch(line) for line in said)
    assert 'vitrine_jobs{state="waiting"} 0' in said
    assert "vitrine_connections 7" in said
    assert "vitrine_connections_refused_total 1" in said
    assert f"vitrine_store_bytes {engine.store.size()}" in said
    assert f"vitrine_store_limit_bytes {engine.store.limit}" in said


def test_the_store_is_looked_at_once_in_a_while() -> None:
    looks: list[int] = []
    size = health.Sometimes(lambda: looks.append(1) or len(looks), every=1000)
    assert [size(), size()] == [1, 1]
    size = health.Sometimes(lambda: looks.append(1) or len(looks), every=0)
    assert [size(), size()] == [2, 3]


def test_an_engine_says_what_it_lacks(tmp_path: Path) -> None:
    engine = Engine(Store(tmp_path))
    assert engine.lack() == "no worker is there yet"
    assert engine.figures() == {
        "jobs": {"waiting": 0, "running": 0, "done": 0, "failed": 0, "cancelled": 0},
        "ended": {"done": 0, "failed": 0, "cancelled": 0},
        "workers": 0,
    }
    engine.close()
    assert engine.lack() == CLOSED
